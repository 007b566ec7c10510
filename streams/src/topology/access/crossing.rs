//! What LOG lends to the zones of effects.

use super::{USERS, Zone, acks, requests};

/// How a subject crosses from LOG into another zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Asked over there, answered here once.
    Request,
    /// Asked over there, answered here with many messages.
    RequestMany,
    /// Published here, heard over there.
    Stream,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossing {
    pub subject: String,
    pub way: Way,
    pub zones: Vec<Zone>,
}

/// What the zones of effects may reach of LOG: reading by subject only, never a whole mission.
const SHARED: [(&str, Way); 9] = [
    // The last word on a mission is asked for with a literal `*` as the last token.
    ("$JS.API.DIRECT.GET.MISSIONS.stage7.mission.*.*.*.control.mission.*", Way::Request),
    ("$JS.API.DIRECT.GET.MISSIONS.stage7.mission.*.*.*.control.step.cancelled.*", Way::Request),
    ("stage7.mission.*.*.*.control.mission.*", Way::Stream),
    ("stage7.artifact.*.*.*", Way::Request),
    ("$JS.API.DIRECT.GET.ARTIFACTS.stage7.artifact.*.*.*", Way::Request),
    ("stage7.live.*.*.>", Way::Request),
    ("$JS.API.DIRECT.GET.REGISTRY", Way::RequestMany),
    ("$JS.API.DIRECT.GET.REGISTRY.>", Way::Request),
    ("stage7.registry.>", Way::Stream),
];

/// Where the worker that opens secrets reads them.
const SECRETS: &str = "$JS.API.DIRECT.GET.SECRETS";

/// Everything that LOG lends to the zones of effects. No two overlap for one zone: the server takes
/// the first that matches, in random order.
pub fn crossings() -> Vec<Crossing> {
    let shared =
        SHARED.iter().map(|&(subject, way)| Crossing { subject: subject.into(), way, zones: Zone::EFFECTS.to_vec() });
    let own = USERS.iter().filter(|u| Zone::EFFECTS.contains(&u.zone)).flat_map(|user| {
        let writer = user.name;
        let mut subjects = vec![
            (format!("stage7.mission.*.*.*.{writer}.>"), Way::Request),
            (format!("stage7.registry.{writer}.>"), Way::Request),
            (format!("stage7.telemetry.{writer}.>"), Way::Request),
            (format!("$JS.API.DIRECT.GET.MISSIONS.stage7.mission.*.*.*.{writer}.>"), Way::Request),
        ];
        for consumer in user.takes() {
            subjects.extend(requests(consumer).into_iter().map(|subject| {
                let way = if subject.contains(".MSG.NEXT.") { Way::RequestMany } else { Way::Request };
                (subject, way)
            }));
            // The second form belongs to a feature that the configuration switches off.
            let [ack, _] = acks(consumer);
            subjects.push((ack, Way::Request));
        }
        subjects.into_iter().map(|(subject, way)| Crossing { subject, way, zones: vec![user.zone] })
    });
    let secrets = Crossing { subject: SECRETS.into(), way: Way::RequestMany, zones: vec![Zone::Capability] };
    shared.chain(own).chain([secrets]).collect()
}
