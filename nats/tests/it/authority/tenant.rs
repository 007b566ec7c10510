//! A tenant's users do what people may do, and see nothing of another tenant.

use super::{
    attempt::{Attempt, Outcome, Tally, attempt},
    world::{OTHER, PEOPLE, World, inbox},
};
use nats::{
    config::{People, tenants},
    key::Seed,
};
use std::time::Duration;

const REQUESTS: [&str; 6] =
    ["submit.T", "user.T.m1.pause.requested", "command.T.plugin.add", "read.T", "put.T.aa.0", "get.T.aa.0"];

fn of(tenant: &str) -> impl Iterator<Item = String> {
    REQUESTS.into_iter().map(move |request| format!("stage7.{}", request.replace('T', tenant)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_users_ask_the_door_and_each_hears_the_answer_alone() {
    let world = World::start().await;
    let mut tally = Tally::default();
    let mut door = world.wire("door");
    for subject in ["submit.*", "user.*.*.*.*", "command.*.*.*", "read.*", "put.*.*.*", "get.*.*.*"] {
        door.subscribe(&format!("stage7.{subject}"), None);
    }
    door.fence();
    let mut ears: Vec<_> = PEOPLE
        .iter()
        .map(|(name, _)| {
            let mut wire = world.wire(name);
            wire.subscribe(&format!("{}.>", inbox(name)), None);
            assert!(wire.fence().1.is_empty());
            (*name, wire)
        })
        .collect();
    for (name, tenant) in PEOPLE {
        let key = world.key(name);
        let mut wire = world.wire(name);
        ears.iter_mut().for_each(|(_, ear)| drop(ear.fence()));
        for (n, subject) in of(tenant).enumerate() {
            // Who asks is told by the server, whatever the asker says.
            let forged = "\r\nNats-Request-Info: {\"acc\":\"acme\",\"user\":\"root\"}";
            let to = format!("{}.{n}.{name}", inbox(name));
            wire.publish(&subject, &to, forged, b"{}");
            assert!(wire.fence().1.is_empty());
            let asked = door.fence().0;
            assert_eq!(asked.len(), 1, "{name}: {subject}");
            let told =
                asked[0].headers.lines().filter_map(|l| l.strip_prefix("Nats-Request-Info: ")).collect::<Vec<_>>();
            let [told] = told[..] else { panic!("told once: {told:?}") };
            let told: serde_json::Value = serde_json::from_str(told).unwrap();
            assert_eq!((told["acc"].as_str(), told["user"].as_str()), (Some(tenant), Some(key.as_str())), "{told}");
            door.publish(asked[0].reply.as_ref().unwrap(), "", "", b"yes");
            door.fence();
            std::thread::sleep(Duration::from_millis(20));
            for (other, ear) in &mut ears {
                let heard: Vec<_> = ear.fence().0.into_iter().map(|m| m.subject).collect();
                let wanted: Vec<_> = (*other == name).then(|| to.clone()).into_iter().collect();
                assert_eq!(heard, wanted, "{other} while {name} asks {subject}");
            }
            tally.note(name, &subject, "answered at its own inbox");
        }
        let goal = Attempt::on(format!("stage7.goal.{tenant}"));
        let outcome = attempt(&mut wire, &inbox(name), std::slice::from_ref(&goal)).remove(0);
        tally.outcome(name, &goal, &outcome);
        assert!(matches!(outcome, Outcome::Stored(_)), "{name}: {outcome}");
    }
    // The same, a token off.
    world.all_kept_out(&mut tally, |name| {
        let Some((_, tenant)) = PEOPLE.iter().find(|(person, _)| *person == name) else { return vec![] };
        let other = if *tenant == OTHER { "default" } else { OTHER };
        let mut all: Vec<String> =
            of(tenant).flat_map(|s| [format!("{s}.x"), s.rsplit_once('.').unwrap().0.into()]).collect();
        all.extend(of(tenant).map(|s| s.replace(&format!(".{tenant}"), ".*")));
        all.extend(of(tenant).map(|s| s.replace(&format!(".{tenant}"), &format!(".{}", tenant.to_uppercase()))));
        all.extend(of(tenant).map(|s| s.replacen("stage7.", &format!("stage7.{tenant}."), 1)));
        all.extend(of(other));
        all.extend(["submit", "user", "read", "put", "get", "goal", "view", "live"].map(|f| format!("stage7.{f}.>")));
        all.into_iter().map(Attempt::on).collect()
    });
    assert!(door.fence().0.is_empty(), "none of it reaches the door");
    tally.print("tenants' requests", 130);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_account_can_not_be_written_to_reach_anothers() {
    let world = World::start().await;
    let mut tally = Tally::default();
    let good = tenants(&world.tenants());
    let mut imports = Vec::new();
    for subject in [
        "stage7.goal.default",
        "stage7.goal.*",
        "stage7.submit.default",
        "stage7.user.default.*.*.*",
        "stage7.read.*",
        "stage7.put.default.*.*",
        "stage7.get.*.*.*",
        "stage7.query.>",
        "stage7.mission.*.*.*.brain.>",
        "stage7.mission.*.*.*.control.>",
        "stage7.registry.brain.>",
        "stage7.registry.>",
        "stage7.telemetry.brain.>",
        "stage7.refused.default",
        "stage7.artifact.*.*.*",
        "stage7.live.*.*.>",
        "$JS.API.>",
        "$JS.API.DIRECT.GET.MISSIONS",
        "$JS.API.DIRECT.GET.MISSIONS.stage7.mission.*.*.*.control.mission.*",
        "$JS.API.DIRECT.GET.REGISTRY",
        "$JS.API.DIRECT.GET.SECRETS",
        "stage7.secret.default.>",
        "$JS.API.DIRECT.GET.REFUSALS.stage7.refused.*",
        "$JS.API.CONSUMER.MSG.NEXT.MISSIONS.llm-calls",
        "$JS.ACK.MISSIONS.llm-calls.>",
    ] {
        imports.push(("service", "LOG", subject));
    }
    for (account, subject) in [
        ("LOG", "stage7.view.default.>"),
        ("LOG", "stage7.view.*.>"),
        ("LOG", "stage7.view.>"),
        ("LOG", "stage7.refused.default"),
        ("LOG", "stage7.refused.*"),
        ("LOG", "stage7.mission.*.*.*.control.mission.*"),
        ("LOG", "stage7.mission.>"),
        ("LOG", "stage7.registry.>"),
        ("BRAIN", "stage7.registry.brain.>"),
        ("BRAIN", "stage7.live.default.>"),
        ("BRAIN", "stage7.live.*.>"),
        ("CAPABILITY", "stage7.live.default.>"),
        ("default", "_INBOX.>"),
        ("default", ">"),
    ] {
        imports.push(("stream", account, subject));
    }
    imports.push(("service", "BRAIN", "$SRV.>"));
    imports.push(("service", "default", "stage7.x"));
    for (kind, account, subject) in imports {
        let key = Seed::new().public();
        let import = format!("{{ {kind}: {{ account: {account:?}, subject: {subject:?} }} }}");
        let text = format!("{good}\"third\": {{\n users: [ {{ nkey: {key} }} ]\n imports: [ {import} ]\n}}\n");
        let said = world.check(&text);
        assert!(!said.status.success(), "a tenant importing {import}");
        tally.note("third", &import, "refused by the server's check");
    }
    tally.print("tenants' accounts", 39);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_comes_and_goes_while_everybody_stays_connected() {
    let world = World::start().await;
    let mut there: Vec<_> = World::names().into_iter().map(|name| (name, world.wire(name))).collect();
    let seed = Seed::new();
    let mut all = world.tenants();
    all.insert("third".parse().unwrap(), People::of(&seed.public()).unwrap());
    let text = tenants(&all);
    assert!(world.check(&text).status.success());
    world.install(&text);
    let mut third = super::wire::Wire::connect(world.server.managed.url(), &seed, "_INBOX".into());
    let mut door = world.wire("door");
    door.subscribe("stage7.read.*", None);
    door.fence();
    let goal = attempt(&mut third, "_INBOX", &[Attempt::on("stage7.goal.third")]).remove(0);
    assert!(matches!(goal, Outcome::Stored(_)), "{goal}");
    third.publish("stage7.read.third", "_INBOX.x", "", b"{}");
    third.fence();
    assert_eq!(door.fence().0.len(), 1, "the door hears the new tenant without doing anything");
    world.install(&tenants(&world.tenants()));
    assert!(third.is_closed(), "whose account is gone is cut off");
    for (name, wire) in &mut there {
        assert!(wire.fence().1.is_empty(), "{name} is still connected");
    }
}
