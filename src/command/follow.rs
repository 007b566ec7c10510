//! Following a mission to its end: progress, questions, lost connections, Ctrl-C.

use super::Signals;
use crate::{
    client,
    config::Config,
    exit::{Code, Error},
    form::Form,
    home::Home,
    mission::Follower,
    progress::{Progress, asked, clean, err, open_questions},
};
use schemas::{Value, agent::AnswerType};
use serde_json::json;
use std::{io::BufRead, time::Duration};
use streams::overview::{Overview, Question, Status};
use tokio::{sync::mpsc, time::Instant};

/// An abort is waited for so long before the program goes.
const ABORT: Duration = Duration::from_secs(15);

/// How a mission is followed.
pub struct Following<'a> {
    pub config: &'a Config,
    pub json: bool,
    /// Until when.
    pub until: Option<Instant>,
    /// A person is there to answer.
    pub interactive: bool,
    /// Whoever follows leaves when nothing goes on without a person.
    pub leaves_waiting: bool,
    pub signals: Signals,
}

/// Why following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The mission has.
    Ended,
    Waiting,
    TimedOut,
    Interrupted,
}

impl Following<'_> {
    /// Follows until there is no more to see.
    ///
    /// # Errors
    /// The goal was refused, or nobody answers any more.
    pub async fn until_end(
        &mut self,
        home: &mut Home,
        follower: &mut Follower,
        progress: &mut Progress,
    ) -> Result<End, Error> {
        let mut person = Person::default();
        let note = super::note(self.json);
        loop {
            let (until, signals) = (self.until, &mut self.signals);
            let deadline = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                seen = follower.next(&home.client) => match seen {
                    Ok(()) => {
                        home.found();
                        progress.update(&follower.overview);
                    }
                    Err(client::Error::Silent { .. }) => {
                        progress.quiet();
                        tokio::select! {
                            back = home.lost(self.config, &note) => back?,
                            () = signals.next() => return Ok(End::Interrupted),
                        }
                    }
                    Err(error) => return Err(error.into()),
                },
                line = person.line(), if person.is_asked() => person.answer(line, home, follower, progress).await,
                () = deadline => return Ok(End::TimedOut),
                () = signals.next() => return Ok(End::Interrupted),
            }
            let now = &follower.overview;
            if now.status.has_ended() {
                return Ok(End::Ended);
            }
            if now.status == Status::Waiting && self.leaves_waiting && !self.interactive {
                return Ok(End::Waiting);
            }
            if self.interactive {
                person.ask(now, progress);
            }
        }
    }

    /// Stops the mission for good and sees it through.
    pub async fn abort(
        &mut self,
        home: &mut Home,
        follower: &mut Follower,
        progress: &mut Progress,
    ) -> Result<End, Error> {
        progress.note("stopping the mission; Ctrl-C again leaves at once");
        home.client.command(follower.id, "abort.requested", &json!({"reason": "Ctrl-C"})).await?;
        self.until = Some(Instant::now() + ABORT);
        (self.interactive, self.leaves_waiting) = (false, false);
        self.until_end(home, follower, progress).await
    }

    /// What the end means to whoever called.
    pub fn code(&self, end: End, follower: &Follower, is_own: bool) -> Result<Code, Error> {
        let id = follower.id;
        // With this process goes whoever served it.
        let first = if is_own { "first start `stage7 up`; " } else { "" };
        match end {
            End::Ended => Ok(Code::of_status(follower.overview.status)),
            End::Waiting => {
                let waiting = open_questions(&follower.overview);
                let how = waiting.map(|question| {
                    format!(
                        "\n  {}\n    stage7 mission answer {id} --question {} ANSWER",
                        asked(&follower.overview, question),
                        question.id
                    )
                });
                Err(Error::waiting(format!(
                    "mission {id} waits for a person; {first}answer with:{}\nand watch it with: stage7 mission watch {id}",
                    how.collect::<String>()
                )))
            }
            End::TimedOut => Err(Error::timed_out(format!(
                "mission {id} is not done yet; {first}watch it with: stage7 mission watch {id}"
            ))),
            End::Interrupted => {
                err!(
                    "mission {id} goes on; watch it with: stage7 mission watch {id}\nstop it with: stage7 mission abort {id}"
                );
                Ok(Code::Interrupted)
            }
        }
    }
}

/// The person at the terminal.
#[derive(Default)]
struct Person {
    lines: Option<mpsc::UnboundedReceiver<String>>,
    question: Option<Question>,
    /// What is being filled in, where the question asks for it.
    form: Option<Form>,
}

impl Person {
    fn is_asked(&self) -> bool {
        self.question.is_some() && self.lines.is_some()
    }

    /// Shows the question that is open now, once.
    fn ask(&mut self, now: &Overview, progress: &mut Progress) {
        let open = open_questions(now).next();
        let current = self.question.as_ref().map(|question| question.id);
        if open.map(|question| question.id) == current {
            return;
        }
        self.question = open.cloned();
        self.form = open.and_then(|question| Form::new(question.schema.as_ref()?));
        progress.hold(open.is_some());
        if let Some(question) = open {
            let said = if self.form.is_some() { clean(&question.text) } else { asked(now, question) };
            progress.note(&format!("{said}\n{}", self.prompt()));
            self.lines.get_or_insert_with(read_lines);
        }
    }

    fn prompt(&self) -> String {
        let plain = || match self.question.as_ref().map(|question| question.kind) {
            Some(AnswerType::File) => "The path of a file:".into(),
            _ => "Your answer:".into(),
        };
        self.form.as_ref().and_then(Form::prompt).unwrap_or_else(plain)
    }

    async fn line(&mut self) -> Option<String> {
        match &mut self.lines {
            Some(lines) => lines.recv().await,
            None => std::future::pending().await,
        }
    }

    /// Sends what was typed; what does not fit is asked again.
    async fn answer(&mut self, line: Option<String>, home: &Home, follower: &Follower, progress: &mut Progress) {
        let Some(line) = line else {
            // The terminal is closed: somebody else may answer.
            self.lines = None;
            progress.hold(false);
            return;
        };
        let Some(question) = &self.question else { return };
        let answer = match &mut self.form {
            None if question.kind == AnswerType::File => {
                let path = line.trim();
                match home.client.give(follower.id, path.trim_start_matches('@').as_ref()).await {
                    Ok(name) => name.into(),
                    Err(error) => return progress.note(&format!("{}\n{}", clean(&error.to_string()), self.prompt())),
                }
            }
            None => typed(question.kind, &line),
            Some(form) => {
                let wrong = form.take(&line).err().map(|why| format!("{}\n", clean(&why)));
                if let Some(prompt) = form.prompt() {
                    return progress.note(&format!("{}{prompt}", wrong.unwrap_or_default()));
                }
                form.values()
            }
        };
        let data = json!({"question": question.id, "answer": answer});
        if let Err(error) = home.client.command(follower.id, "question.answered", &data).await {
            // A form is filled in again from the start.
            self.form = question.schema.as_ref().and_then(Form::new);
            progress.note(&format!("{}\n{}", clean(&error.to_string()), self.prompt()));
        }
    }
}

/// What a line means as an answer. Numbers, yes and no, and a choice may come as text.
pub fn typed(kind: AnswerType, line: &str) -> Value {
    match kind {
        AnswerType::Choices => serde_json::from_str(line).ok().filter(Value::is_array).unwrap_or_else(|| {
            line.split(',').map(str::trim).filter(|choice| !choice.is_empty()).map(Value::from).collect()
        }),
        AnswerType::Values => serde_json::from_str(line).unwrap_or_else(|_| line.into()),
        _ => line.into(),
    }
}

/// A thread of its own: reading a terminal can't be called off.
fn read_lines() -> mpsc::UnboundedReceiver<String> {
    let (tell, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_choices_come_as_a_list_or_with_commas() {
        assert_eq!(typed(AnswerType::Choices, "[\"a, b\", \"c\"]"), json!(["a, b", "c"]));
        assert_eq!(typed(AnswerType::Choices, "a, c"), json!(["a", "c"]));
        assert_eq!(typed(AnswerType::Text, "[1]"), json!("[1]"));
    }
}
