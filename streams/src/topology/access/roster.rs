//! The users, one by one.

use super::{Grants, User, Zone};

const READ_LOG: &[&str] =
    &["$JS.API.DIRECT.GET.MISSIONS", "$JS.API.DIRECT.GET.MISSIONS.>", "$JS.API.STREAM.INFO.MISSIONS"];
const READ_REGISTRY: &[&str] = &["$JS.API.DIRECT.GET.REGISTRY", "$JS.API.DIRECT.GET.REGISTRY.>"];
const ARTIFACTS: &[&str] = &["stage7.artifact.*.*.*", "$JS.API.DIRECT.GET.ARTIFACTS.stage7.artifact.>"];

pub const USERS: [User; 9] = [
    User {
        name: "sys",
        zone: Zone::Sys,
        about: "reload and statistics, for the program that manages the server",
        service: "",
        consumers: &[],
        // Not all that its account holds: that account may purge every other's streams.
        grants: Some(Grants {
            publish: &[&[
                "$SYS.REQ.SERVER.*.RELOAD",
                "$SYS.REQ.SERVER.PING",
                "$SYS.REQ.SERVER.PING.CONNZ",
                "$SYS.REQ.SERVER.PING.HEALTHZ",
                "$SYS.REQ.SERVER.PING.JSZ",
                "$SYS.REQ.SERVER.PING.STATSZ",
                "$SYS.REQ.SERVER.PING.VARZ",
            ]],
            subscribe: &[],
        }),
    },
    User {
        name: "setup",
        zone: Zone::Log,
        about: "creates and changes streams and consumers, at start and upgrade only",
        service: "",
        consumers: &[],
        grants: None,
    },
    User {
        name: "control",
        zone: Zone::Log,
        about: "decider: what is to be done and by whom",
        service: "mission-control",
        consumers: &["mission-control", "goals"],
        grants: Some(Grants {
            publish: &[
                &[
                    "stage7.mission.*.*.*.control.>",
                    "stage7.registry.control.>",
                    "stage7.telemetry.control.>",
                    "stage7.refused.*",
                ],
                READ_LOG,
                READ_REGISTRY,
                ARTIFACTS,
            ],
            subscribe: &["stage7.registry.>"],
        }),
    },
    User {
        name: "agent",
        zone: Zone::Log,
        about: "decider: how an assigned step is done",
        service: "agents",
        consumers: &["agent-steps"],
        grants: Some(Grants {
            publish: &[
                &["stage7.mission.*.*.*.agent.>", "stage7.registry.agent.>", "stage7.telemetry.agent.>"],
                READ_LOG,
                READ_REGISTRY,
                ARTIFACTS,
            ],
            subscribe: &["stage7.registry.>"],
        }),
    },
    User {
        name: "timekeeper",
        zone: Zone::Log,
        about: "effect: timers; the server doesn't check a schedule's target, so nobody else may publish to TIMERS",
        service: "timekeeper",
        consumers: &["timers", "due"],
        grants: Some(Grants {
            publish: &[&[
                "stage7.timer.>",
                "stage7.mission.*.*.*.timer.>",
                "stage7.telemetry.timer.>",
                "$JS.API.DIRECT.GET.MISSIONS.stage7.mission.*.*.*.timer.>",
            ]],
            subscribe: &[],
        }),
    },
    User {
        name: "librarian",
        zone: Zone::Log,
        about: "effect: read models; archives, so it sees every consumer's floor and deletes single messages",
        service: "librarian",
        consumers: &["projector"],
        grants: Some(Grants {
            publish: &[
                &["stage7.mission.*.*.*.librarian.>", "stage7.registry.librarian.>", "stage7.telemetry.librarian.>"],
                READ_LOG,
                READ_REGISTRY,
                ARTIFACTS,
                &[
                    "$JS.API.DIRECT.GET.ARTIFACTS",
                    "$JS.API.STREAM.INFO.ARTIFACTS",
                    "$JS.API.CONSUMER.INFO.MISSIONS.*",
                    "$JS.API.STREAM.MSG.DELETE.MISSIONS",
                    "$JS.API.STREAM.MSG.DELETE.ARTIFACTS",
                ],
            ],
            subscribe: &["stage7.query.>", "stage7.registry.>", "stage7.telemetry.>"],
        }),
    },
    User {
        name: "door",
        zone: Zone::Log,
        about: "post-office: answers people, writes user words and goals in their name",
        service: "post-office",
        consumers: &[],
        grants: Some(Grants {
            publish: &[
                // Answers to tenants: a reload forgets what allow_responses had granted.
                &[
                    "_R_.>",
                    "stage7.mission.*.*.*.user.>",
                    "stage7.registry.user.>",
                    "stage7.secret.>",
                    "stage7.telemetry.user.>",
                    "stage7.goal.*",
                    "stage7.query.>",
                ],
                READ_LOG,
                READ_REGISTRY,
                ARTIFACTS,
                &[
                    "$JS.API.DIRECT.GET.SECRETS",
                    "$JS.API.DIRECT.GET.SECRETS.>",
                    "$JS.API.DIRECT.GET.GOALS",
                    "$JS.API.DIRECT.GET.REFUSALS",
                    "$JS.API.DIRECT.GET.REFUSALS.stage7.refused.*",
                    "$SRV.PING",
                    "$SRV.INFO",
                    "$SRV.STATS",
                    "$SRV.PING.>",
                    "$SRV.INFO.>",
                    "$SRV.STATS.>",
                    "$SRV.brain.>",
                    "$SRV.capability.>",
                ],
            ],
            subscribe: &[
                "stage7.submit.*",
                "stage7.user.*.*.*.*",
                "stage7.command.*.*.*",
                "stage7.read.*",
                "stage7.put.*.*.*",
                "stage7.get.*.*.*",
                "stage7.view.>",
                "stage7.live.>",
                "stage7.registry.>",
                "stage7.telemetry.>",
            ],
        }),
    },
    User {
        name: "brain",
        zone: Zone::Brain,
        about: "effect: language models",
        service: "brain",
        consumers: &["llm-calls"],
        grants: None,
    },
    User {
        name: "capability",
        zone: Zone::Capability,
        about: "effect: plugins",
        service: "capabilities",
        consumers: &["plugin-runs"],
        grants: None,
    },
];
