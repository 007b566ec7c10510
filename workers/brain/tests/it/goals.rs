//! Goals drawn at random, planned offline and run with the real plugins, must give the bytes that
//! were computed independently.

#[path = "../../../../tests/goals/draw.rs"]
mod draw;

use brain::offline::{Ask, FileInfo, Format, plan, write};
use draw::{Case, draw};
use schemas::catalogue::{Catalogue, Runner, Verb};
use schemas::plan::{Input, Plan, Step};
use schemas::value::{Blob, Values, fill, is_safe_name, media_type};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How many goals are drawn: the seeds from 0.
const GOALS: u64 = 1000;

#[test]
fn random_goals_give_the_bytes_computed_independently() {
    let catalogue = shipped();
    let mut failed = Vec::new();
    for seed in 0..GOALS {
        let case = draw(seed);
        match result(&case, &catalogue) {
            Ok(made) if made == case.expected => {}
            Ok(made) => {
                let text = |bytes: &BTreeMap<String, Vec<u8>>| {
                    bytes
                        .iter()
                        .map(|(name, bytes)| format!("{name}: {}", String::from_utf8_lossy(bytes)))
                        .collect::<String>()
                };
                failed.push(format!(
                    "seed {seed}: {}\nmade:\n{}\nexpected:\n{}",
                    case.goal,
                    text(&made),
                    text(&case.expected)
                ));
            }
            Err(fault) => failed.push(format!("seed {seed}: {}\n{fault}", case.goal)),
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {GOALS} goals, the first ones:\n{}",
        failed.len(),
        failed[..failed.len().min(5)].join("\n\n")
    );
}

fn result(case: &Case, catalogue: &Catalogue) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let files = case
        .files
        .iter()
        .map(|(path, bytes)| FileInfo {
            path: path.clone(),
            size: bytes.len() as u64,
            media_type: media_type(path).into(),
        })
        .collect();
    let plan =
        plan(&Ask { goal: &case.goal, context: None, files, catalogue }).map_err(|refusal| refusal.to_string())?;
    check(&plan, catalogue)?;
    run(&plan, case, catalogue)
}

/// What the rest of the system demands of any plan.
fn check(plan: &Plan, catalogue: &Catalogue) -> Result<(), String> {
    let mut before: BTreeMap<&str, &Step> = BTreeMap::new();
    let mut names = BTreeSet::new();
    for step in &plan.steps {
        let verb = catalogue.verb(&step.verb).ok_or_else(|| format!("{}: unknown verb {}", step.id, step.verb))?;
        let required = verb.input["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        if let Some(missing) = required.into_iter().find(|name| !step.inputs.contains_key(*name)) {
            return Err(format!("{}: input {missing} is missing", step.id));
        }
        for input in step.inputs.values() {
            if let Input::From(source) = input
                && !before.get(source.from.as_str()).is_some_and(|step| step.outputs.contains_key(&source.output))
            {
                return Err(format!("{}: {}.{} isn't there", step.id, source.from, source.output));
            }
        }
        for (name, output) in &step.outputs {
            if verb.output["properties"].get(name).is_none() {
                return Err(format!("{}: {} has no output {name}", step.id, step.verb));
            }
            if let Some(name) = &output.deliverable
                && !(is_safe_name(name) && names.insert(name.clone()))
            {
                return Err(format!("{}: the deliverable {name} isn't safe or there twice", step.id));
            }
        }
        if !schemas::id::is_step_id(&step.id) || before.insert(&step.id, step).is_some() {
            return Err(format!("the step id {} is bad or there twice", step.id));
        }
    }
    Ok(())
}

/// Runs a plan step by step and gives its deliverables.
fn run(plan: &Plan, case: &Case, catalogue: &Catalogue) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut outputs: BTreeMap<String, Values> = BTreeMap::new();
    let mut delivered = BTreeMap::new();
    for step in &plan.steps {
        let verb = catalogue.verb(&step.verb).expect("the plan was checked");
        let given: Values = step
            .inputs
            .iter()
            .map(|(name, input)| match input {
                Input::Value(constant) => (name.clone(), constant.value.clone()),
                Input::From(source) => (name.clone(), outputs[&source.from][&source.output].clone()),
            })
            .collect();
        let mut inputs = given.clone();
        for (name, value) in step.constants() {
            if let Value::String(text) = value
                && !verb.literal.contains(&name)
            {
                inputs.insert(name, fill(&text, &given).into());
            }
        }
        let object: Value = inputs.clone().into_iter().collect::<serde_json::Map<_, _>>().into();
        jsonschema::validate(&verb.input, &object)
            .map_err(|e| format!("{}: inputs: {}: {e}", step.id, e.instance_path()))?;
        let made = match step.verb.as_str() {
            "ASK_USER_QUESTION" => answer(case, &inputs)?,
            "GENERATE" => {
                let text = write(inputs["prompt"].as_str().unwrap_or_default(), Format::of(inputs["format"].as_str()));
                [("text".to_string(), text.into())].into()
            }
            _ => native(&step.verb, inputs, case).map_err(|e| format!("{}: {e}", step.id))?,
        };
        for (name, output) in &step.outputs {
            if let Some(deliverable) = &output.deliverable {
                delivered.insert(deliverable.clone(), Blob::of_value(&made[name]).bytes);
            }
        }
        outputs.insert(step.id.clone(), made);
    }
    Ok(delivered)
}

fn answer(case: &Case, inputs: &Values) -> Result<Values, String> {
    let known = case.answers.iter().find(|(question, _)| inputs["question"] == **question);
    let (_, answer) = known.ok_or_else(|| format!("unexpected question {}", inputs["question"]))?;
    let fits = match inputs["type"].as_str() {
        Some("number") => answer.is_number(),
        Some("boolean") => answer.is_boolean(),
        Some("choice") => inputs["choices"].as_array().is_some_and(|choices| choices.contains(answer)),
        _ => answer.is_string(),
    };
    if fits { Ok([("answer".into(), answer.clone())].into()) } else { Err(format!("{answer} doesn't fit {inputs:?}")) }
}

fn native(verb: &str, inputs: Values, case: &Case) -> Result<Values, String> {
    let files = case
        .files
        .iter()
        .map(|(path, bytes)| {
            let file = plugins::File {
                size: bytes.len() as u64,
                media_type: media_type(path).into(),
                bytes: Some(bytes.clone()),
                ..plugins::File::default()
            };
            (path.clone(), file)
        })
        .collect();
    let code = plugins::native(verb).and_then(plugins::Native::plain);
    let code = code.ok_or_else(|| format!("{verb} isn't native, or asks the internet"))?;
    code(&plugins::Run { inputs, files, ..plugins::Run::default() })
        .map(|done| done.outputs)
        .map_err(|failure| failure.to_string())
}

/// The shipped verbs, as the intake of goals would catalogue them.
fn shipped() -> Catalogue {
    let verbs = plugins::SHIPPED.iter().map(|plugin| {
        let manifest: Value = toml::from_str(plugin.manifest).expect("a shipped manifest is TOML");
        let text = |key: &str| manifest[key].as_str().unwrap_or_default().to_string();
        let literal = manifest["literal"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_string)
            .collect();
        let verb = Verb {
            name: text("name"),
            version: text("version"),
            description: text("description"),
            input: manifest["input"].clone(),
            output: manifest["output"].clone(),
            runner: if text("runtime") == "agent" { Runner::Agent } else { Runner::Capability },
            runtime: text("runtime"),
            literal,
            files: None,
            roles: Vec::new(),
            pure: true,
        };
        (verb.name.clone(), verb)
    });
    Catalogue { verbs: verbs.collect(), ..Catalogue::default() }
}
