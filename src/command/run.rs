//! `stage7 run`: a goal, to its end.

use super::{
    Signals, deliver,
    follow::{End, Following},
};
use crate::{
    cli::{self, Optimize},
    client::{self, Upload, new_id},
    config::Config,
    exit::{Code, Error},
    home::{self, Home},
    mission::Follower,
    progress::Progress,
};
use schemas::{
    Value,
    goal::{self, Budget, Goal},
    plan::Plan,
};
use std::{
    fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};
use streams::topology::MAX_PAYLOAD;
use tokio::time::Instant;

pub async fn run(config: &Config, asked: cli::Run, json: bool) -> Result<Code, Error> {
    // Everything that can be wrong is looked at before anything is started or sent.
    let goal = goal(&asked)?;
    let uploads = client::check(&asked.files, &goal.goal)?;
    deliver::prepare(&asked.out)?;
    let until = asked.timeout.map(|timeout| Instant::now() + timeout);
    let mut signals = Signals::new()?;
    let note = super::note(json);
    let mut home = tokio::select! {
        home = home::find_or_start(config, &note) => home?,
        () = signals.next() => return Ok(Code::Interrupted),
    };
    let mut following = Following {
        config,
        json,
        until,
        interactive: !json && io::stdin().is_terminal() && io::stderr().is_terminal(),
        leaves_waiting: true,
        signals,
    };
    let ended = through(&mut home, &mut following, new_id(), goal, &uploads, Some(&asked.out)).await;
    home.close().await;
    ended.map(|(code, _)| code)
}

/// Submits a goal as the event `id` and follows it to its end; gives the mission as it ended.
pub async fn through(
    home: &mut Home,
    following: &mut Following<'_>,
    id: String,
    mut goal: Goal,
    uploads: &[Upload],
    out: Option<&Path>,
) -> Result<(Code, Follower), Error> {
    let mut progress = Progress::new(following.json, home.client.mission_of(&id));
    let submitting = async {
        for upload in uploads {
            let file = home.client.put(upload).await?;
            progress.sent(&file.name, file.stored.as_ref().map_or(0, |stored| stored.size));
            goal.files.push(file);
        }
        let data = serde_json::to_value(&goal).map_err(|error| Error::failed(error.to_string()))?;
        Ok::<_, Error>(home.client.submit(&id, &data).await?)
    };
    let mission = tokio::select! {
        mission = submitting => mission?,
        () = following.signals.next() => return Err(Error::interrupted("nothing was begun")),
    };
    progress.submitted();
    let mut follower = Follower::new(mission, Some(id));
    let mut end = following.until_end(home, &mut follower, &mut progress).await?;
    if end == End::Interrupted && home.is_own() {
        // Nobody would go on with it.
        end = following.abort(home, &mut follower, &mut progress).await?;
    }
    progress.quiet();
    let paths = match out.filter(|_| end == End::Ended) {
        Some(out) => deliver::fetch(&home.client, &follower.overview, out).await?,
        None => Vec::new(),
    };
    if out.is_some() {
        progress.result(&follower.overview, &paths);
    }
    Ok((following.code(end, &follower, home.is_own())?, follower))
}

/// The goal as it will be submitted, checked as the door will check it.
fn goal(asked: &cli::Run) -> Result<Goal, Error> {
    let plan = asked.plan.as_ref().map(read_plan).transpose()?;
    let planned = || {
        asked
            .plan
            .as_ref()
            .map(|path| format!("Run the plan {}", path.file_name().unwrap_or_default().to_string_lossy()))
    };
    let goal = Goal {
        goal: asked.goal.clone().or_else(planned).unwrap_or_default(),
        name: asked.name.clone(),
        optimize: asked.optimize.map(optimize),
        budget: budget(&asked.limits),
        model: asked.model.clone(),
        plan,
        ..Goal::default()
    };
    checked(&goal)
}

fn budget(limits: &cli::Limits) -> Budget {
    let cli::Limits { max_cost, max_tokens, max_calls } = *limits;
    Budget { max_cost_usd: max_cost, max_tokens, max_calls, ..Budget::default() }
}

/// # Errors
/// All faults of the goal.
pub fn checked(goal: &Goal) -> Result<Goal, Error> {
    let data = serde_json::to_value(goal).map_err(|error| Error::usage(error.to_string()))?;
    Goal::parse(&data).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(|fault| fault.to_string()).collect();
        Error::usage(faults.join("\n"))
    })
}

fn read_plan(path: &PathBuf) -> Result<Plan, Error> {
    let wrong = |why: String| Error::usage(format!("--plan {}: {why}", path.display()));
    let found = fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
    // A goal is one message, its plan included.
    if found.len() > MAX_PAYLOAD {
        return Err(wrong(format!("has {} bytes; a plan may have {MAX_PAYLOAD}", found.len())));
    }
    let text = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let value: Value = serde_json::from_slice(&text).map_err(|error| wrong(format!("is no JSON: {error}")))?;
    // Serde takes a list for an object, field by field.
    if !value.is_object() {
        return Err(wrong("is no plan {\"steps\": […]}".into()));
    }
    // `untagged` inputs tell too little when they fail: name the step.
    for (i, step) in value["steps"].as_array().into_iter().flatten().enumerate() {
        serde_json::from_value::<schemas::plan::Step>(step.clone())
            .map_err(|error| wrong(format!("/steps/{i}: {error}")))?;
    }
    serde_json::from_value(value).map_err(|error| wrong(format!("is no plan {{\"steps\": […]}}: {error}")))
}

const fn optimize(asked: Optimize) -> goal::Optimize {
    match asked {
        Optimize::Cost => goal::Optimize::Cost,
        Optimize::Speed => goal::Optimize::Speed,
        Optimize::Accuracy => goal::Optimize::Accuracy,
        Optimize::Creativity => goal::Optimize::Creativity,
        Optimize::Continuity => goal::Optimize::Continuity,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn asked(arguments: &[&str]) -> cli::Run {
        let cli = cli::Cli::try_parse_from(["stage7", "run"].iter().chain(arguments)).unwrap();
        match cli.command {
            cli::Command::Run(asked) => asked,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_become_fields_of_the_goal() {
        let limits = ["--max-cost", "0.5", "--max-tokens", "9000", "--max-calls", "7"];
        let others = [" count ", "--model", "offline", "--optimize", "cost", "--name", "n"];
        let goal = goal(&asked(&[&others[..], &limits].concat())).unwrap();
        assert_eq!(
            (goal.goal.as_str(), goal.model.as_deref(), goal.name.as_deref()),
            ("count", Some("offline"), Some("n"))
        );
        assert_eq!((goal.optimize, goal.budget.max_cost_usd), (Some(goal::Optimize::Cost), Some(0.5)));
        assert_eq!((goal.budget.max_tokens, goal.budget.max_calls), (Some(9000), Some(7)));
    }

    #[test]
    fn what_no_goal_can_be_is_told_at_once() {
        for arguments in [&["  "][..], &["a\u{7}b"], &[&"x".repeat(20_001)]] {
            assert_eq!(goal(&asked(arguments)).unwrap_err().code, Code::Usage, "{arguments:?}");
        }
    }

    #[test]
    fn a_plan_that_is_none_says_where() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.json");
        for (text, place) in
            [("{", "is no JSON"), ("[]", "is no plan"), ("{\"steps\": [{\"id\": 1, \"verb\": \"THINK\"}]}", "/steps/0")]
        {
            fs::write(&path, text).unwrap();
            let error = read_plan(&path).unwrap_err().to_string();
            assert!(error.contains("p.json") && error.contains(place), "{error}");
        }
        fs::write(&path, "{\"steps\": [{\"id\": \"a\", \"verb\": \"THINK\"}]}").unwrap();
        assert_eq!(goal(&asked(&["--plan", path.to_str().unwrap()])).unwrap().goal, "Run the plan p.json");
    }
}
