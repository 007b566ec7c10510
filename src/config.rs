//! The configuration: one TOML file, overridden by the environment (`.env` counts as that, but the
//! real one comes first), overridden by flags. Read once, into types that can't be wrong; all
//! faults at once, each with its place.

mod dotenv;
mod file;
mod model;
mod setting;

pub use setting::{Found, Origin};

use crate::{cli::Shared, exit, trace::Secrets};
use brain::model::Models;
use schemas::limits::Limits;
use setting::Setting;
use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

/// Where the file is looked for when nobody names it.
const FILE: &str = "stage7.toml";

/// All that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    pub data: PathBuf,
    pub log: String,
    pub nats_url: Option<String>,
    pub creds: Option<PathBuf>,
    /// The server syncs each word to disk: under load words are stored many at a time.
    pub group_commit: bool,
    /// Where a nats-server may be found or kept.
    pub places: nats::server::Places,
    pub brain: brain::Config,
    /// How plugins are run.
    pub capabilities: capabilities::Config,
    pub limits: Limits,
    /// What no log may tell.
    pub secrets: Secrets,
    /// How long after its end a mission is archived; `None`: never.
    pub archive_after: Option<std::time::Duration>,
    /// Every setting with its value and where that comes from, in the order of the table.
    pub found: Vec<Found>,
}

/// What a configuration is made of, as it was read.
#[derive(Debug, Default)]
struct Sources {
    flags: Vec<(&'static str, String)>,
    environment: Vec<(String, OsString)>,
    dotenv: Vec<dotenv::Line>,
    file: Vec<file::Entry>,
    faults: Vec<String>,
}

/// The configuration of this process.
///
/// # Errors
/// All faults, each with its place.
pub fn load(shared: &Shared) -> Result<Config, exit::Error> {
    let mut sources = Sources { environment: environment(), flags: flags(shared), ..Sources::default() };
    let read = |path: &Path, named: bool| match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !named => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    };
    let path = shared.config.clone().unwrap_or_else(|| FILE.into());
    match read(&path, shared.config.is_some()) {
        Ok(text) => match file::parse(&path.display().to_string(), &text.unwrap_or_default()) {
            Ok(entries) => sources.file = entries,
            Err(fault) => sources.faults.push(fault),
        },
        Err(fault) => sources.faults.push(fault),
    }
    match read(Path::new(".env"), false) {
        Ok(text) => match dotenv::parse(&text.unwrap_or_default()) {
            Ok(lines) => sources.dotenv = lines,
            Err(faults) => sources.faults.extend(faults),
        },
        Err(fault) => sources.faults.push(fault),
    }
    sources.resolve().map_err(|faults| match faults.as_slice() {
        [fault] => exit::Error::usage(format!("configuration: {fault}")),
        _ => exit::Error::usage(format!("configuration:\n  {}", faults.join("\n  "))),
    })
}

/// Read here and nowhere else.
fn environment() -> Vec<(String, OsString)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect()
}

fn flags(shared: &Shared) -> Vec<(&'static str, String)> {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
    let all = [("data", path(&shared.data)), ("nats.url", shared.nats.clone()), ("nats.creds", path(&shared.creds))];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

impl Sources {
    fn resolve(mut self) -> Result<Config, Vec<String>> {
        let found: Vec<Found> = setting::all().map(|setting| self.find(setting)).collect();
        for entry in &self.file {
            if !setting::all().any(|setting| setting.name == entry.name) {
                let known = setting::all().map(|setting| setting.name).collect::<Vec<_>>().join(", ");
                self.faults.push(format!("{}: unknown setting `{}`; known are {known}", entry.place, entry.name));
            }
        }
        for found in &found {
            if let Some(Err(why)) = found.value.as_deref().map(|value| found.setting.kind.check(value)) {
                self.faults.push(format!(
                    "{}: {} {why}, this is `{}`",
                    found.origin,
                    found.setting.name,
                    found.shown().unwrap_or_default()
                ));
            }
        }
        let file = found.iter().find(|found| found.setting.name == "models.file").and_then(|found| found.value.clone());
        let models = model::models(file.as_deref()).unwrap_or_else(|faults| {
            self.faults.extend(faults);
            Models::default()
        });
        if self.faults.is_empty() { Ok(self.build(found, models)) } else { Err(self.faults) }
    }

    /// The value that counts, and where it comes from. An empty variable counts as none.
    fn find(&self, setting: &'static Setting) -> Found {
        let flag = self.flags.iter().find(|(name, _)| *name == setting.name).map(|(_, value)| {
            let flag = setting.name.rsplit('.').next().unwrap_or_default();
            (value.clone(), Origin::Flag(if flag == "url" { "nats" } else { flag }))
        });
        let variable = || {
            let set = setting.variables.iter().filter_map(|name| Some((*name, self.variable(name)?)));
            set.map(|(name, value)| (value.to_string_lossy().into_owned(), Origin::Environment(name))).next()
        };
        let dotenv = || {
            let line = setting
                .variables
                .iter()
                .find_map(|name| self.dotenv.iter().rev().find(|line| line.name == *name && !line.value.is_empty()))?;
            Some((line.value.clone(), Origin::File(format!(".env line {}", line.number))))
        };
        let file = || {
            let entry = self.file.iter().find(|entry| entry.name == setting.name)?;
            Some((entry.value.clone(), Origin::File(entry.place.clone())))
        };
        match flag.or_else(variable).or_else(dotenv).or_else(file) {
            Some((value, origin)) => Found { setting, value: Some(value), origin },
            None => Found { setting, value: setting.default.map(String::from), origin: Origin::Default },
        }
    }

    /// What is set as a secret, and what variables hold that are named as one: a library may know
    /// them, or a later version.
    fn secrets(&self, found: &[Found]) -> Secrets {
        let values = found.iter().flat_map(|found| match (&found.value, found.setting.kind) {
            (Some(value), setting::Kind::Secret) => vec![value.clone()],
            (Some(value), setting::Kind::Url(_)) => setting::password(value).into_iter().map(String::from).collect(),
            (Some(value), setting::Kind::Headers) => {
                let headers = brain::ProviderConfig::headers(value).unwrap_or_default();
                headers.iter().map(|(_, value)| value.reveal().to_string()).collect()
            }
            _ => Vec::new(),
        });
        let variables =
            self.environment.iter().map(|(name, value)| (name.as_str(), value.to_string_lossy().into_owned()));
        let all = variables.chain(self.dotenv.iter().map(|line| (line.name.as_str(), line.value.clone())));
        let named = all.filter(|(name, _)| Secrets::is_named(name)).map(|(_, value)| value);
        Secrets::new(values.chain(named))
    }

    fn variable(&self, name: &str) -> Option<&OsString> {
        self.environment.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value)
    }

    /// The variables that plugins may ask for.
    fn env(&self, names: &str) -> capabilities::Env {
        let names = names.split([',', ' ']).filter(|name| !name.is_empty());
        let value = |name| self.variable(name).map(|value| value.to_string_lossy().into_owned());
        capabilities::Env(names.map(|name| (name.to_string(), value(name))).collect())
    }

    fn build(&self, found: Vec<Found>, models: Models) -> Config {
        let text =
            |name: &str| found.iter().find(|found| found.setting.name == name).and_then(|found| found.value.clone());
        fn number<T: std::str::FromStr>(text: Option<String>) -> T {
            text.and_then(|text| text.parse().ok())
                .expect("the table has a default for it, and what was set was checked")
        }
        let data = PathBuf::from(text("data").unwrap_or_default());
        Config {
            data: data.clone(),
            log: text("log").unwrap_or_default(),
            nats_url: text("nats.url"),
            creds: text("nats.creds").map(PathBuf::from),
            group_commit: text("nats.sync").as_deref() == Some("always"),
            places: nats::server::Places::from_vars(|name| match name {
                "STAGE7_NATS_SERVER" => text("nats.server").map(OsString::from),
                name => self.variable(name).cloned(),
            }),
            brain: brain::Config {
                providers: model::providers(&text),
                models,
                parallel: number(text("workers.llm_calls")),
                redis: model::redis(&text).map(brain::Key::new),
                cache: text("models.cache")
                    .and_then(|text| setting::span(&text))
                    .flatten()
                    .filter(|life| !life.is_zero()),
            },
            capabilities: capabilities::Config {
                parallel: number(text("workers.plugin_runs")),
                program: "/proc/self/exe".into(),
                packages: text("workers.packages").map_or_else(|| capabilities::packages(&data), PathBuf::from),
                env: self.env(&text("workers.plugin_env").unwrap_or_default()),
                private_hosts: text("workers.private_hosts").and_then(|text| text.parse().ok()).unwrap_or_default(),
            },
            limits: Limits {
                slots: number(text("limits.slots")),
                agents: number(text("limits.agents")),
                steps_per_agent: number(text("limits.steps_per_agent")),
                retries: number(text("limits.retries")),
                backoff: number(text("limits.backoff")),
                backoff_cap: number(text("limits.backoff_cap")),
                replans: number(text("limits.replans")),
                ..Limits::default()
            },
            secrets: self.secrets(&found),
            archive_after: text("archive.after").and_then(|text| setting::span(&text)).flatten(),
            found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(
        flags: &[(&'static str, &str)],
        environment: &[(&str, &str)],
        dotenv: &str,
        file: &str,
    ) -> Result<Config, Vec<String>> {
        Sources {
            flags: flags.iter().map(|(name, value)| (*name, value.to_string())).collect(),
            environment: environment.iter().map(|(name, value)| (name.to_string(), value.into())).collect(),
            dotenv: dotenv::parse(dotenv).unwrap(),
            file: file::parse("stage7.toml", file).unwrap(),
            faults: Vec::new(),
        }
        .resolve()
    }

    fn origin(config: &Config, name: &str) -> String {
        config.found.iter().find(|found| found.setting.name == name).unwrap().origin.to_string()
    }

    #[test]
    fn flags_come_before_the_environment_before_the_file() {
        let file = "data = \"f\"\n[limits]\nslots = 3\nretries = 1\n";
        let environment = [("STAGE7_DATA", "e"), ("STAGE7_SLOTS", "5")];
        let all = config(&[("data", "g")], &environment, "STAGE7_SLOTS=4\nSTAGE7_AGENTS='7'", file).unwrap();
        assert_eq!((all.data.to_str(), all.limits.slots, all.limits.agents, all.limits.retries), (Some("g"), 5, 7, 1));
        assert_eq!(origin(&all, "data"), "--data");
        assert_eq!(origin(&all, "limits.slots"), "environment STAGE7_SLOTS");
        assert_eq!(origin(&all, "limits.agents"), ".env line 2");
        assert_eq!(origin(&all, "limits.retries"), "stage7.toml line 4");
        assert_eq!(origin(&all, "limits.backoff"), "default");
    }

    #[test]
    fn plugins_may_ask_for_variables_that_are_named_and_their_values_are_not_shown() {
        let environment = [("STAGE7_PLUGIN_ENV", "TZ, PROXY NOT_SET"), ("TZ", "UTC"), ("PROXY", "me:pass"), ("X", "y")];
        let all = config(&[], &environment, "", "").unwrap();
        let value = |name: &str| all.capabilities.env.0.get(name).map(|value| value.as_deref());
        assert_eq!(
            ["TZ", "PROXY", "NOT_SET", "X"].map(value),
            [Some(Some("UTC")), Some(Some("me:pass")), Some(None), None]
        );
        assert!(!format!("{all:?}").contains("me:pass"));
    }

    #[test]
    fn all_faults_are_told_at_once_with_their_place() {
        let faults = config(&[], &[("STAGE7_RETRIES", "many")], "", "colour = 1\n[limits]\nslots = 0\n").unwrap_err();
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(
            faults.iter().any(|fault| fault.starts_with("stage7.toml line 1: unknown setting `colour`")),
            "{faults:?}"
        );
        assert!(
            faults.iter().any(|fault| fault.starts_with("stage7.toml line 3: limits.slots must be a whole number")),
            "{faults:?}"
        );
        assert!(faults.iter().any(|fault| fault.starts_with("environment STAGE7_RETRIES: ")), "{faults:?}");
    }

    #[test]
    fn private_hosts_are_a_list_in_the_file_and_commas_elsewhere() {
        let of = |environment: &[(&str, &str)], file| config(&[], environment, "", file);
        let listed = of(&[], "[workers]\nprivate_hosts = [\"intra.example\", \"127.0.0.1:80\"]\n").unwrap();
        let named = of(&[("STAGE7_PRIVATE_HOSTS", "intra.example, 127.0.0.1:80")], "").unwrap();
        assert_eq!(listed.capabilities.private_hosts, named.capabilities.private_hosts);
        assert_ne!(named.capabilities.private_hosts, of(&[], "").unwrap().capabilities.private_hosts);
        let faults = of(&[("STAGE7_PRIVATE_HOSTS", "http://a.example")], "").unwrap_err();
        assert!(faults[0].contains("workers.private_hosts must be hosts, each `host` or `host:port`"), "{faults:?}");
        assert_eq!(of(&[], "[workers]\nprivate_hosts = [1]\n").unwrap_err().len(), 1);
    }

    #[test]
    fn without_anything_there_are_defaults() {
        let all = config(&[], &[], "", "").unwrap();
        assert_eq!(all.limits, Limits::default());
        assert_eq!(all.data, Path::new("./.stage7"));
        assert!(all.brain.providers.is_empty() && all.nats_url.is_none());
    }

    #[test]
    fn each_provider_is_turned_on_by_what_it_needs() {
        let on = |environment: &[(&str, &str)]| {
            let all = config(&[], environment, "", "").unwrap();
            all.brain.providers.iter().map(|provider| provider.known.name).collect::<Vec<_>>()
        };
        assert_eq!(on(&[("GEMINI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k")]), ["anthropic", "gemini"]);
        assert_eq!(on(&[("LLAMACPP_URL", "http://h:1"), ("TGI_URL", "http://h:2")]), ["llamacpp", "tgi"]);
        assert_eq!(on(&[("OPENWEBUI_API_KEY", "k")]), [""; 0], "nobody knows where it is");
        let headers = [("OPENROUTER_API_KEY", "k"), ("OPENROUTER_HEADERS", "X-Title: hunter2")];
        let all = config(&[], &headers, "", "").unwrap();
        assert_eq!(all.brain.providers[0].headers[0].1.reveal(), "hunter2");
        assert!(!format!("{all:?}").contains("hunter2") && all.secrets.mask("hunter2".into()) == "[secret]");
        let faults = config(&[], &[("OPENAI_HEADERS", "hunter2")], "", "").unwrap_err();
        assert!(faults[0].contains("must be headers as") && !faults[0].contains("hunter2"), "{faults:?}");
    }

    #[test]
    fn a_redis_has_an_address_or_a_name_and_its_password_is_not_shown() {
        let redis = |environment: &[(&str, &str)]| {
            let all = config(&[], environment, "", "").unwrap();
            all.brain.redis.as_ref().map(|url| url.reveal().to_string())
        };
        assert_eq!(redis(&[]), None);
        assert_eq!(redis(&[("REDIS_HOST", "cache")]).as_deref(), Some("redis://cache:6379"));
        assert_eq!(redis(&[("REDIS_HOST", "cache"), ("REDIS_PORT", "7000")]).as_deref(), Some("redis://cache:7000"));
        let both = [("REDIS_HOST", "cache"), ("REDIS_URL", "redis://:hunter2@other:1/3")];
        assert_eq!(redis(&both).as_deref(), Some("redis://:hunter2@other:1/3"));
        let all = config(&[], &both, "", "").unwrap();
        assert!(!format!("{all:?}").contains("hunter2") && all.secrets.mask("hunter2".into()) == "[secret]");
        assert!(config(&[], &[("REDIS_URL", "http://other")], "", "").unwrap_err()[0].contains("redis.url must be"));
    }

    #[test]
    fn models_of_ones_own_are_read_and_their_faults_told_with_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.toml").display().to_string();
        std::fs::write(&path, "[[model]]\nprovider = 'tgi'\nname = 'mine'\n").unwrap();
        let all = config(&[], &[("STAGE7_MODELS", &path)], "", "").unwrap();
        assert!(all.brain.models.find("tgi", "mine").is_some());
        std::fs::write(&path, "[[model]]\nprovider = 'nobody'\nname = 'mine'\n").unwrap();
        let faults = config(&[], &[("STAGE7_MODELS", &path)], "", "").unwrap_err();
        assert!(faults[0].starts_with(&format!("{path}: nobody/mine: there is no provider")), "{faults:?}");
        let faults = config(&[], &[("STAGE7_MODELS", "/nowhere.toml")], "", "").unwrap_err();
        assert!(faults[0].starts_with("models.file: /nowhere.toml: "), "{faults:?}");
    }

    #[test]
    fn an_address_alone_turns_the_provider_on_and_a_key_is_never_shown() {
        let all = config(&[], &[("OPENAI_API_KEY", "sk-very-secret"), ("OPENAI_API_URL", "")], "", "").unwrap();
        assert!(!format!("{all:?}").contains("very-secret"));
        let shown = all.found.iter().filter_map(Found::shown).collect::<Vec<_>>();
        assert!(
            all.brain.providers.len() == 1 && shown.iter().all(|value| !value.contains("very-secret")),
            "{shown:?}"
        );
        assert!(config(&[], &[("OPENAI_API_URL", "http://127.0.0.1:1")], "", "").unwrap().brain.providers.len() == 1);
    }
}
