//! The server's configuration, rendered from the topology. Only public keys stand in it.

mod tenant;

pub use tenant::{Malformed, People, default_tenant, tenants};

use crate::{jetstream::group::MOST, key::Ring};
use std::{collections::BTreeMap, fmt::Write, path::Path};
use streams::topology::{
    FILE_LIMIT, MAX_PAYLOAD, MEMORY_LIMIT,
    access::{self, Crossing, TENANT_REQUESTS, TENANT_STREAMS, USERS, Way, Zone},
};

/// The file with the tenants' accounts, relative to the configuration that includes it.
pub const TENANTS_FILE: &str = "accounts/tenants.conf";

/// What waits to become a batch lies on the disk, in nobody's limit: a worker that was taken over may
/// not fill it with batches that it never ends.
const BATCHES: &str = "max_inflight_per_stream: 16, max_inflight_total: 16, timeout: \"5s\"";

/// When the server syncs to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sync {
    /// Before it acknowledges: an acknowledged word survives a power cut.
    #[default]
    Always,
    /// Every two minutes, as the server does untold. For comparisons only.
    Default,
}

/// What differs from server to server.
#[derive(Debug, Clone)]
pub struct Config<'a> {
    /// Interface and port, e.g. `127.0.0.1:4222`; port -1 takes any.
    pub listen: &'a str,
    pub store_dir: &'a Path,
    pub sync: Sync,
    /// User → public key. A user who isn't in it gets the variable `$NKEY_{USER}`.
    pub keys: &'a BTreeMap<String, String>,
}

/// The public keys of a ring.
pub fn public_keys(ring: &Ring) -> BTreeMap<String, String> {
    Ring::users().filter_map(|user| Some((user.to_string(), ring.seed(user).ok()?.public()))).collect()
}

impl Config<'_> {
    /// The text of `nats-server.conf`.
    pub fn render(&self) -> String {
        let mut out = String::from(HEAD);
        let sync = match self.sync {
            Sync::Always => ", sync_interval: always",
            Sync::Default => "",
        };
        let mut line = |text: String| {
            out.push_str(&text);
            out.push('\n');
        };
        line(format!("listen: {:?}", self.listen));
        line("server_name: stage7".into());
        line(format!("max_payload: {MAX_PAYLOAD}"));
        line(format!(
            "jetstream {{ store_dir: {:?}{sync}, max_file: {FILE_LIMIT}, max_mem: {MEMORY_LIMIT}, \
             limits {{ batch {{ max_msgs: {MOST}, {BATCHES} }} }} }}",
            self.store_dir
        ));
        line("# Acknowledgements stay on $JS.ACK.{stream}.{consumer}, which is what crosses between accounts.".into());
        line("feature_flags { js_ack_fc_v2: false }".into());
        line("system_account: SYS".into());
        line(String::new());
        line("accounts {".into());
        for zone in [Zone::Sys, Zone::Log, Zone::Brain, Zone::Capability] {
            line(self.account(zone));
        }
        line(format!("  include \"./{TENANTS_FILE}\""));
        line("}".into());
        out
    }

    fn account(&self, zone: Zone) -> String {
        let mut out = format!("  {}: {{\n", zone.account());
        if zone == Zone::Log {
            out.push_str("    jetstream: enabled\n");
        }
        block(&mut out, "users", USERS.iter().filter(|u| u.zone == zone).map(|u| self.user(u)));
        block(&mut out, "exports", exports(zone));
        block(&mut out, "imports", imports(zone));
        out.push_str("  }\n");
        out
    }

    fn user(&self, user: &access::User) -> String {
        let key = self.keys.get(user.name).cloned().unwrap_or_else(|| format!("$NKEY_{}", user.name.to_uppercase()));
        let about = format!("# {}: {}\n      ", user.name, user.about);
        match (user.may_publish(), user.may_subscribe()) {
            (Some(publish), Some(subscribe)) => format!(
                "{about}{{ nkey: {key}, permissions: {{\n        publish: {}\n        subscribe: {}\n        \
                 allow_responses: {{ max: 1, expires: \"30s\" }} }} }}",
                list(&publish, "          "),
                list(&subscribe, "          "),
            ),
            _ => format!("{about}{{ nkey: {key} }}"),
        }
    }
}

fn exports(zone: Zone) -> Vec<String> {
    match zone {
        Zone::Sys => vec![],
        Zone::Log => {
            let lent = access::crossings().into_iter().map(|Crossing { subject, way, zones }| {
                let accounts: Vec<_> = zones.iter().map(|z| z.account()).collect();
                let (kind, answers) = kind(way);
                format!("{{ {kind}: {subject:?}{answers}, accounts: [ {} ] }}", accounts.join(", "))
            });
            // Generic: the third token must be the importing account's name, so a new tenant is only
            // a new account.
            let asked = TENANT_REQUESTS
                .iter()
                .map(|(verb, rest, _)| format!("{{ service: \"stage7.{verb}.*{rest}\", account_token_position: 3 }}"));
            lent.chain(asked).chain(heard(zone)).collect()
        }
        Zone::Brain | Zone::Capability => {
            let other = if zone == Zone::Brain { Zone::Capability } else { Zone::Brain };
            let mut all = vec!["{ service: \"$SRV.>\", response_type: stream, accounts: [ LOG ] }".to_string()];
            all.extend(heard(zone));
            all.push(format!("{{ stream: {:?}, accounts: [ {} ] }}", registry(zone), other.account()));
            all
        }
    }
}

fn heard(zone: Zone) -> impl Iterator<Item = String> {
    let mine = TENANT_STREAMS.iter().filter(move |(from, ..)| *from == zone);
    mine.map(|(_, family, rest)| format!("{{ stream: \"stage7.{family}.*{rest}\", account_token_position: 3 }}"))
}

fn imports(zone: Zone) -> Vec<String> {
    match zone {
        Zone::Sys => vec![],
        Zone::Log => Zone::EFFECTS
            .map(|z| {
                format!(
                    "{{ service: {{ account: {}, subject: \"$SRV.>\" }}, to: \"$SRV.{}.>\" }}",
                    z.account(),
                    z.account().to_lowercase()
                )
            })
            .into(),
        Zone::Brain | Zone::Capability => {
            let other = if zone == Zone::Brain { Zone::Capability } else { Zone::Brain };
            let lent = access::crossings().into_iter().filter(|c| c.zones.contains(&zone));
            let mut all: Vec<_> = lent
                .map(|c| format!("{{ {}: {{ account: LOG, subject: {:?} }} }}", kind(c.way).0, c.subject))
                .collect();
            // LOG doesn't pass on what came in from another account.
            all.push(format!("{{ stream: {{ account: {}, subject: {:?} }} }}", other.account(), registry(other)));
            all
        }
    }
}

fn registry(zone: Zone) -> String {
    format!("stage7.registry.{}.>", zone.account().to_lowercase())
}

fn kind(way: Way) -> (&'static str, &'static str) {
    match way {
        Way::Request => ("service", ""),
        Way::RequestMany => ("service", ", response_type: stream"),
        Way::Stream => ("stream", ""),
    }
}

fn block(out: &mut String, name: &str, lines: impl IntoIterator<Item = String>) {
    let lines: Vec<_> = lines.into_iter().collect();
    if !lines.is_empty() {
        let _ = writeln!(out, "    {name}: [\n      {}\n    ]", lines.join("\n      "));
    }
}

/// Subjects, a few a line; elements on one line need commas.
fn list(subjects: &[String], indent: &str) -> String {
    let mut lines = vec![String::from("[")];
    let mut width = usize::MAX;
    for (n, subject) in subjects.iter().enumerate() {
        if width.saturating_add(subject.len()) > 110 {
            lines.push(indent.to_string());
            width = indent.len();
        }
        let comma = if n + 1 < subjects.len() { "," } else { " ]" };
        let last = lines.last_mut().expect("it starts with one");
        if !last.trim().is_empty() {
            last.push(' ');
        }
        let _ = write!(last, "{subject:?}{comma}");
        width += subject.len() + 4;
    }
    lines.join("\n")
}

const HEAD: &str = "\
# nats-server 2.14 or newer for stage7: accounts are zones of trust.
# Generated from streams/src/topology.rs; a test fails when this file is stale.
#
# Only public keys (U...) stand here; seeds stay with the workers. A name $NKEY_X is taken from the
# environment. Rights within an account don't bind a message's reply subject: so who sees the world
# (BRAIN, CAPABILITY, every tenant) has an account of its own and reaches LOG by exact subjects only.
";
