//! The table of users in `docs/security.md`.

use std::fmt::Write;
use streams::topology::access::{TENANT_REQUESTS, TENANT_STREAMS, USERS, Way, Zone, crossings};

pub fn table() -> String {
    let mut out = String::from("| user | zone | what it is for | may publish | may hear |\n|---|---|---|---|---|\n");
    let list = |all: Vec<String>| {
        let shown = all.into_iter().filter(|s| !s.starts_with("$SRV."));
        shown.map(|s| format!("`{s}`")).collect::<Vec<_>>().join(" ")
    };
    for user in &USERS {
        let (publish, hear) = match (user.may_publish(), user.may_subscribe()) {
            (Some(publish), Some(hear)) => (list(publish), list(hear)),
            _ if Zone::EFFECTS.contains(&user.zone) => {
                let lent: Vec<_> = crossings().into_iter().filter(|c| c.zones.contains(&user.zone)).collect();
                let of = |stream: bool| {
                    let chosen = lent.iter().filter(|c| (c.way == Way::Stream) == stream);
                    list(chosen.map(|c| c.subject.clone()).collect())
                };
                (format!("within its own account anything; of `LOG` {}", of(false)), format!("of `LOG` {}", of(true)))
            }
            _ => ("anything in `LOG`".into(), "anything in `LOG`".into()),
        };
        let _ = writeln!(out, "| `{}` | `{}` | {} | {publish} | {hear} |", user.name, user.zone.account(), user.about);
    }
    let requests = TENANT_REQUESTS.iter().map(|(verb, rest, _)| format!("stage7.{verb}.{{tenant}}{rest}")).collect();
    let mut heard: Vec<String> =
        TENANT_STREAMS.iter().map(|(_, f, rest)| format!("stage7.{f}.{{tenant}}{rest}")).collect();
    heard.dedup();
    let about = "a person or a program; the owner's inbox is `_INBOX.>`, everybody else's `_INBOX_{name}.>`";
    let _ = writeln!(out, "| a tenant's | `{{tenant}}` | {about} | {} | its inbox {} |", list(requests), list(heard));
    out
}
