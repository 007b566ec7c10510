//! What a person, or a program, sees of a mission as it goes on.

mod line;
mod paint;

pub use line::{clean, grouped, say, to_stderr, to_stdout, took, usd};
pub(crate) use line::{err, out};
pub use paint::Paint;

use crate::form;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use line::size;
use schemas::{EventId, MissionId, Value, goal::Budget};
use serde_json::json;
use std::{
    collections::{HashMap, HashSet},
    io::{self, IsTerminal},
    time::Duration,
};
use streams::overview::{Deliverable, Overview, Question, Status, Step, question, step};

/// How progress is shown.
enum Style {
    /// An object a line on standard output.
    Json,
    /// A line for each change on standard error.
    Plain,
    /// The same, and below them a line for each step under way.
    Terminal(MultiProgress),
}

/// Tells what has changed since the last time.
pub struct Progress {
    style: Style,
    mission: MissionId,
    /// A person is typing: nothing is redrawn.
    held: bool,
    status: Option<Status>,
    steps: Vec<(step::Status, u32)>,
    active: HashMap<usize, ProgressBar>,
    questions: usize,
    messages: usize,
    warnings: usize,
    /// Calls whose model asked for tools.
    tools: HashSet<EventId>,
    faults: usize,
    failures: HashMap<usize, usize>,
}

impl Progress {
    pub fn new(json: bool, mission: MissionId) -> Self {
        let style = match json {
            true => Style::Json,
            false if io::stderr().is_terminal() => Style::Terminal(MultiProgress::new()),
            false => Style::Plain,
        };
        Self {
            style,
            mission,
            held: false,
            status: None,
            steps: Vec::new(),
            active: HashMap::new(),
            questions: 0,
            messages: 0,
            warnings: 0,
            tools: HashSet::new(),
            faults: 0,
            failures: HashMap::new(),
        }
    }

    /// A line for a person; programs get nothing of it.
    pub fn note(&self, text: &str) {
        match &self.style {
            Style::Json => {}
            Style::Plain => err!("{text}"),
            Style::Terminal(_) if self.held => err!("{text}"),
            Style::Terminal(bars) => {
                let _ = bars.println(text);
            }
        }
    }

    /// Both: an object for programs, a line for people.
    fn tell(&self, kind: &str, object: Value, line: &str) {
        if matches!(self.style, Style::Json) {
            let mut whole = json!({"kind": kind, "mission": self.mission});
            if let (Value::Object(whole), Value::Object(object)) = (&mut whole, object) {
                whole.extend(object);
            }
            say(&whole);
        } else {
            self.note(line);
        }
    }

    pub fn submitted(&self) {
        self.tell("submitted", json!({}), &format!("mission {}", self.mission));
    }

    /// Tells how `now` differs from what it was the last time.
    pub fn update(&mut self, now: &Overview) {
        for rejection in now.faults.iter().skip(self.faults) {
            let faults =
                rejection.faults.iter().map(|fault| format!("\n    {}", clean(&fault.to_string()))).collect::<String>();
            self.tell("plan_rejected", json!(rejection), &format!("  the plan has faults:{faults}"));
        }
        self.faults = now.faults.len();
        for (i, step) in now.steps.iter().enumerate() {
            let before = self.steps.get(i).copied();
            if before != Some((step.status, step.attempt)) {
                self.step(i, step);
            }
        }
        self.steps = now.steps.iter().map(|step| (step.status, step.attempt)).collect();
        for call in now.calls.iter().filter(|call| !call.tools.is_empty()) {
            if self.tools.insert(call.id) {
                let tools: Vec<_> = call.tools.iter().map(|tool| clean(tool)).collect();
                let object = json!({"step": call.step, "call": call.id, "tools": call.tools});
                self.tell("tools", object, &format!("  · {} uses {}", call.step, tools.join(", ")));
            }
        }
        for message in now.messages.iter().skip(self.messages) {
            self.tell("message", json!(message), &format!("  {}: {}", clean(&message.who), clean(&message.text)));
        }
        self.messages = now.messages.len();
        for warning in now.warnings.iter().skip(self.warnings) {
            self.tell("warning", json!(warning), &format!("  ! {}", clean(&warning.text)));
        }
        self.warnings = now.warnings.len();
        for question in now.questions.iter().skip(self.questions) {
            self.tell("question", json!(question), &format!("  ? {}", asked(now, question)));
        }
        self.questions = now.questions.len();
        if now.id.is_some() && self.status != Some(now.status) {
            self.status = Some(now.status);
            let (done, all) = now.progress();
            let object = json!({"status": now.status, "progress": {"done": done, "total": all}, "seq": now.last_seq});
            self.tell("status", object, &format!("  {}", now.status.as_str()));
        }
    }

    fn step(&mut self, i: usize, step: &Step) {
        let failures = self.failures.insert(i, step.failures.len()).unwrap_or(0);
        let json = matches!(self.style, Style::Json);
        for failure in step.failures.iter().skip(failures).filter(|_| json || step.status != step::Status::Failed) {
            let line = format!(
                "  ! {} attempt {} failed ({}): {}",
                step.id,
                failure.attempt,
                failure.class,
                clean(&failure.message)
            );
            self.tell("attempt_failed", json!({"step": step.id, "failure": failure}), &line);
        }
        let what = format!("{} {} {}", step.id, step.verb, clean(&step.description)).trim_end().to_string();
        let time = step.started.zip(step.ended).map(|(from, to)| to.since(from));
        let object = || {
            json!({"step": step.id, "verb": step.verb, "status": step.status, "attempt": step.attempt, "agent": step.agent,
                "error": step.error, "ms": time})
        };
        use step::Status as S;
        if json {
            self.tell("step", object(), "");
            return;
        }
        let error = || step.error.as_deref().map(|error| format!(": {}", clean(error))).unwrap_or_default();
        let time = time.map(|ms| format!(" ({})", took(ms))).unwrap_or_default();
        let ended = match step.status {
            S::Completed => Some(format!("  ✓ {what}{time}")),
            S::Failed => Some(format!("  ✗ {what}{}", error())),
            S::Cancelled => Some(format!("  - {what}{}", error())),
            S::Replaced => Some(format!("  > {what}: a plan took its place")),
            _ => None,
        };
        let state = match step.status {
            S::Waiting => "waits for you",
            S::Assigned | S::Running => "running",
            _ => "",
        };
        match (&self.style, ended) {
            (_, Some(line)) => {
                if let Some(bar) = self.active.remove(&i) {
                    bar.finish_and_clear();
                }
                self.note(&line);
            }
            (Style::Terminal(bars), None) if !state.is_empty() => {
                let bar = self.active.entry(i).or_insert_with(|| spinner(bars));
                bar.set_message(format!("{what} · {state}"));
            }
            (Style::Terminal(_), None) => {
                if let Some(bar) = self.active.remove(&i) {
                    bar.finish_and_clear();
                }
            }
            (_, None) if matches!(step.status, S::Assigned | S::Waiting) => self.note(&format!("  · {what} · {state}")),
            _ => {}
        }
    }

    /// How many bytes of the files have been sent.
    pub fn sent(&self, name: &str, bytes: u64) {
        self.tell("file", json!({"name": name, "size": bytes}), &format!("  file {} ({})", clean(name), size(bytes)));
    }

    /// While a person types nothing is redrawn; lines are printed still.
    pub fn hold(&mut self, held: bool) {
        if let Style::Terminal(bars) = &self.style
            && self.held != held
        {
            let _ = bars.clear();
            bars.set_draw_target(if held { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() });
        }
        self.held = held;
    }

    /// Nothing moves on the terminal any more.
    pub fn quiet(&mut self) {
        self.active.drain().for_each(|(_, bar)| bar.finish_and_clear());
    }

    /// The end; `paths` are where the deliverables went, in their order.
    pub fn result(&mut self, now: &Overview, paths: &[String]) {
        self.quiet();
        let (done, all) = now.progress();
        if matches!(self.style, Style::Json) {
            let deliverables = now.deliverables.iter().enumerate().map(|(i, file)| deliverable(file, paths.get(i)));
            let object = json!({
                "status": now.status, "error": now.error, "answer": now.answer, "cost": now.cost,
                "progress": {"done": done, "total": all}, "deliverables": deliverables.collect::<Vec<_>>(), "seq": now.last_seq,
            });
            return self.tell("result", object, "");
        }
        let time =
            now.created.zip(now.updated).map_or_else(String::new, |(from, to)| format!(" in {}", took(to.since(from))));
        let calls = if now.cost.usd > 0.0 {
            format!(", {} model calls, {}", now.calls.len(), usd(now.cost.usd, now.cost.estimated))
        } else {
            String::new()
        };
        err!("{}{time}: {done} of {all} steps{calls}", now.status.as_str());
        // What a step said is told already.
        let of_step = |step: &Step| step.error.clone().filter(|_| step.status == step::Status::Failed);
        let told = |error: &String| now.steps.iter().filter_map(of_step).any(|of_step| error.ends_with(&of_step));
        if let Some(error) = now.error.as_ref().filter(|error| !told(error)) {
            err!("{}", clean(error));
        }
        if let Some(answer) = &now.answer {
            match answer {
                Value::String(text) => out!("{}", clean(text)),
                other => out!("{other:#}"),
            }
        }
        for (path, file) in paths.iter().zip(&now.deliverables) {
            out!("{path} ({}, {})", size(file.size), file.media_type);
        }
    }
}

fn deliverable(file: &Deliverable, path: Option<&String>) -> Value {
    let mut shown = json!(file);
    if let Some(path) = path {
        shown["path"] = json!(path);
    }
    shown
}

fn spinner(bars: &MultiProgress) -> ProgressBar {
    let style = ProgressStyle::with_template("  {spinner} {wide_msg} {elapsed}")
        .expect("the template is right: it is shown at every run");
    let bar = bars.add(ProgressBar::new_spinner().with_style(style));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// A question with what may be answered.
pub fn asked(now: &Overview, question: &Question) -> String {
    use schemas::agent::AnswerType as T;
    let choices = || question.choices.iter().map(|choice| clean(choice)).collect::<Vec<_>>().join(", ");
    let wanted = match question.kind {
        T::Text => String::new(),
        T::Number => " (a number)".into(),
        T::Boolean => " (yes or no)".into(),
        // To raise the budget takes figures.
        T::Choice if question.agent.is_none() => format!(" (answer `stop`, or: {})", raising(now)),
        T::Choice => format!(" (one of: {})", choices()),
        T::Choices => format!(" (any of: {}; as a JSON list)", choices()),
        T::File => " (a file: @PATH)".into(),
        T::Values => {
            let fields = question.schema.as_ref().map(form::fields).filter(|fields| !fields.is_empty());
            format!(" (a JSON object{})", fields.map(|fields| format!(" with {fields}")).unwrap_or_default())
        }
    };
    format!("{}{wanted}", clean(&question.text))
}

/// The command that raises the limits of a mission.
fn raising(now: &Overview) -> String {
    let Budget { max_cost_usd, max_tokens, max_calls, .. } = &now.budget;
    let all = [
        max_cost_usd.map(|_| " --max-cost USD"),
        max_tokens.map(|_| " --max-tokens N"),
        max_calls.map(|_| " --max-calls N"),
    ];
    let id = now.id.map(|id| id.to_string()).unwrap_or_default();
    format!("stage7 mission raise {id}{}", all.into_iter().flatten().collect::<String>())
}

/// Those that wait for an answer.
pub fn open_questions(now: &Overview) -> impl Iterator<Item = &Question> {
    now.questions.iter().filter(|question| question.status == question::Status::Open)
}
