//! From what the code says to lines: the fields of an event, and those of the spans around it.

use super::{
    Line, Screen, Secrets,
    file::{self, Log},
};
use crate::progress::err;
use schemas::Value;
use serde_json::Map;
use std::{
    error::Error,
    fmt::Debug,
    sync::{Mutex, PoisonError},
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

pub struct Lines {
    process: String,
    screen: Screen,
    file: Option<Mutex<Log>>,
    secrets: Secrets,
}

/// Fields by name.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Lines {
    pub fn new(process: &str, screen: Screen, file: Option<Log>, secrets: Secrets) -> Self {
        Self { process: process.into(), screen, file: file.map(Mutex::new), secrets }
    }

    fn tell(&self, line: &Line) {
        let json = self.secrets.mask(line.to_json());
        match self.screen {
            Screen::Json => err!("{json}"),
            // Masked before it is coloured, as the file has it.
            Screen::Text => err!("{}", Line::parse(&json).as_ref().unwrap_or(line).pretty(true)),
            Screen::None => {}
        }
        if let Some(file) = &self.file {
            file.lock().unwrap_or_else(PoisonError::into_inner).write(&json);
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields(mut more) = fields;
        // The innermost span knows best.
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(Fields(around)) = span.extensions().get::<Fields>() {
                for (name, value) in around {
                    more.entry(name).or_insert_with(|| value.clone());
                }
            }
        }
        let mut take = |name: &str| {
            more.shift_remove(name).map(|value| value.as_str().map_or_else(|| value.to_string(), String::from))
        };
        let (worker, mission, id, message) = (take("worker"), take("mission"), take("event"), take("message"));
        // What came over `log` brings its own.
        let target = take("log.target").unwrap_or_else(|| event.metadata().target().into());
        more.retain(|name, _| !name.starts_with("log."));
        more.insert("target".into(), target.into());
        self.tell(&Line {
            time: file::now(),
            level: (*event.metadata().level()).into(),
            worker: worker.unwrap_or_else(|| self.process.clone()),
            mission,
            event: id,
            message: message.unwrap_or_default(),
            more,
        });
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().into(), format!("{value:?}").into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().into(), value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().into(), value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().into(), value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().into(), value.into());
    }
    /// With all that led to it.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let causes = std::iter::successors(value.source(), |error| (*error).source());
        let text = causes.fold(value.to_string(), |text, error| format!("{text}: {error}"));
        self.0.insert(field.name().into(), text.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tracing_subscriber::layer::SubscriberExt;

    fn logged(secrets: Secrets, say: impl FnOnce()) -> Vec<Value> {
        let dir = tempfile::tempdir().unwrap();
        let lines = Lines::new("up", Screen::None, Some(Log::open(dir.path()).unwrap()), secrets);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), say);
        let text = std::fs::read_to_string(&file::files(dir.path(), "stage7")[0]).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_has_its_worker_mission_and_event_from_the_spans_around_it() {
        let lines = logged(Secrets::default(), || {
            tracing::info!("alone");
            tracing::error_span!("worker", worker = "brain").in_scope(|| {
                tracing::error_span!("request", mission = "5f1b", event = %7).in_scope(|| {
                    tracing::warn!(seq = 9, error = &std::io::Error::other("x") as &dyn Error, "trying {}", "again");
                    tracing::debug!(mission = "other", "its own");
                });
            });
        });
        let of = |n: usize, name: &str| lines[n][name].clone();
        assert_eq!((of(0, "worker"), of(0, "mission"), of(0, "message")), (json!("up"), json!(null), json!("alone")));
        assert_eq!((of(1, "worker"), of(1, "mission"), of(1, "event")), (json!("brain"), json!("5f1b"), json!("7")));
        assert_eq!((of(1, "level"), of(1, "seq"), of(1, "error")), (json!("WARN"), json!(9), json!("x")));
        assert_eq!(
            (of(1, "message"), of(2, "mission"), of(2, "worker")),
            (json!("trying again"), json!("other"), json!("brain"))
        );
    }

    #[test]
    fn no_secret_is_in_a_line_wherever_it_stands() {
        let canary = "canary-\"0451\"";
        let lines = logged(Secrets::new([canary.to_string()]), || {
            tracing::error_span!("worker", worker = canary).in_scope(|| {
                tracing::info!(key = canary, debug = ?Some(canary), "the key {canary} in a text");
            });
        });
        assert!(!lines[0].to_string().contains("0451"), "{}", lines[0]);
    }
}
