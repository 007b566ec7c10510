//! The command line, as data.

mod cost;
mod keys;
mod mission;
mod model;
mod plugin;
mod secret;

pub use cost::Cost;
pub use keys::{Keys, Purpose, Whose};
pub use mission::Mission;
pub use model::{Model, Verdict};
pub use plugin::{Language, Plugin, PluginRun};
pub use secret::Secret;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{path::PathBuf, time::Duration};

/// A goal becomes a finished mission: planned, done by agents and plugins, and all of it in a log.
#[derive(Debug, Parser)]
#[command(name = "stage7", version, propagate_version = true, max_term_width = 100, after_help = CODES)]
pub struct Cli {
    #[command(flatten)]
    pub shared: Shared,
    #[command(subcommand)]
    pub command: Command,
}

const CODES: &str = "Exit codes: 0 completed, 1 failed, 2 usage, 3 aborted, 4 waiting for a person, \
    5 refused, 6 timed out waiting.";

const STATUSES: [&str; 10] =
    ["created", "planning", "running", "pausing", "paused", "waiting", "reflecting", "completed", "failed", "aborted"];

/// What every command takes.
#[derive(Debug, Clone, Default, Args)]
pub struct Shared {
    /// One JSON object a line on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// The data directory [default: ./.stage7]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// An existing nats-server instead of one of stage7's own.
    #[arg(long, global = true, value_name = "URL")]
    pub nats: Option<String>,
    /// Keys for it: the folder that `stage7 setup` made; for clients, a file with one user's key.
    #[arg(long, global = true, value_name = "PATH")]
    pub creds: Option<PathBuf>,
    /// The configuration file [default: ./stage7.toml, where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start everything: a nats-server and all workers, until Ctrl-C.
    Up(Up),
    /// Run a goal to its end and fetch its deliverables.
    Run(Run),
    /// Run only these workers, beside a server that `--nats` names.
    Worker(Worker),
    /// Look after missions.
    #[command(subcommand)]
    Mission(Mission),
    /// Look at what a mission was, without any model or plugin.
    #[command(subcommand)]
    Replay(Replay),
    /// Verbs: what they are, and run by hand.
    #[command(subcommand)]
    Plugin(Plugin),
    /// Language models: what is known of them, and whether they answer.
    #[command(subcommand)]
    Model(Model),
    /// What models cost, and how many tokens they took.
    Cost(Cost),
    /// Who signs plugins, and whose signature is taken.
    #[command(subcommand)]
    Keys(Keys),
    /// Values that plugins may have and nobody sees.
    #[command(subcommand)]
    Secret(Secret),
    /// What could not be processed: stuck missions, records of the log that are no events.
    #[command(subcommand)]
    Dead(Dead),
    /// What the services of this data directory logged.
    Logs(Logs),
    /// Make keys, server configuration, streams and consumers for a server of your own.
    Setup(Setup),
    /// How fast this machine makes it, beside the raw log in the same run.
    Bench(Bench),
    /// The configuration, and where each value comes from.
    Config,
    /// What is there, what is missing, and how to get it.
    Doctor,
}

#[derive(Debug, Args)]
pub struct Up {
    /// The port of the nats-server on 127.0.0.1 [default: the last one if it is free, else any]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
}

#[derive(Debug, Args)]
pub struct Run {
    /// What is to be done, in words.
    #[arg(required_unless_present = "plan")]
    pub goal: Option<String>,
    /// A file for the mission; it is called by its file name, or as the goal calls it.
    #[arg(long = "file", value_name = "P")]
    pub files: Vec<PathBuf>,
    /// A ready plan (JSON), run as it is.
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Where the deliverables go, in a folder named as the mission.
    #[arg(long, value_name = "DIR", default_value = "./stage7-out")]
    pub out: PathBuf,
    /// The model to ask, or `offline`.
    #[arg(long, value_name = "M")]
    pub model: Option<String>,
    /// What matters most in choosing models.
    #[arg(long, value_name = "O")]
    pub optimize: Option<Optimize>,
    #[command(flatten)]
    pub limits: Limits,
    /// How long to wait for the end (90, 90s, 15m, 2h); the mission itself goes on.
    #[arg(long, value_name = "D", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// A name for the mission.
    #[arg(long, value_name = "N")]
    pub name: Option<String>,
}

/// What a mission's model calls may use together.
#[derive(Debug, Args)]
pub struct Limits {
    /// What model calls may cost together, in US dollars.
    #[arg(long, value_name = "USD", value_parser = usd, allow_negative_numbers = true)]
    pub max_cost: Option<f64>,
    /// How many tokens they may take together.
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<u64>,
    /// How many of them there may be.
    #[arg(long, value_name = "N")]
    pub max_calls: Option<u64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Optimize {
    Cost,
    Speed,
    Accuracy,
    Creativity,
    Continuity,
}

#[derive(Debug, Args)]
pub struct Worker {
    /// mission-control, agents, brain, capabilities, timekeeper, librarian, post-office
    #[arg(required = true, value_name = "NAME", value_parser = crate::host::Worker::parse)]
    pub names: Vec<crate::host::Worker>,
}

#[derive(Debug, Subcommand)]
pub enum Replay {
    /// The mission as it stood at a moment [default: the last event]
    Show {
        /// A mission's id, the beginning of one, or a file that `mission export` wrote.
        mission: String,
        #[command(flatten)]
        at: At,
    },
    /// Its events one by one, with what each changed.
    Step(Steps),
    /// Makes each recorded decision again with this version, and tells the differences.
    Check {
        /// Missions, files that `mission export` wrote, and folders of such files.
        #[arg(value_name = "MISSION|PATH", required_unless_present = "live")]
        what: Vec<String>,
        /// All missions of the running system.
        #[arg(long)]
        live: bool,
    },
    /// How two missions differ, or two moments of one; ids and times aside.
    Diff {
        /// A mission, by its id or as a file.
        a: String,
        /// The other mission [default: A itself]
        b: Option<String>,
        /// The event of A up to which events count [default: all]
        #[arg(long, value_name = "SEQ")]
        at: Option<u64>,
        /// The same for B.
        #[arg(long, value_name = "SEQ")]
        at_b: Option<u64>,
    },
}

/// A moment of a mission's life.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct At {
    /// The event up to which events count, by its sequence.
    #[arg(long, value_name = "SEQ")]
    pub at: Option<u64>,
    /// A time like 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "T")]
    pub time: Option<schemas::Time>,
    /// When this step ended, or changed last.
    #[arg(long, value_name = "STEP")]
    pub step: Option<String>,
}

#[derive(Debug, Args)]
pub struct Steps {
    /// A mission's id, the beginning of one, or a file that `mission export` wrote.
    pub mission: String,
    /// The first event that is shown, by its sequence.
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    pub from: u64,
    /// The last one.
    #[arg(long, value_name = "SEQ", default_value_t = u64::MAX, hide_default_value = true)]
    pub to: u64,
    /// Only what this writer said: control, agent, brain, capability, timer, user.
    #[arg(long, value_name = "W")]
    pub writer: Option<schemas::Writer>,
    /// One event at a time, forth and back.
    #[arg(long, short)]
    pub interactive: bool,
}

#[derive(Debug, Subcommand)]
pub enum Dead {
    /// All of it, newest first, with the reasons.
    List {
        /// Only what belongs to this mission.
        #[arg(long, value_name = "ID")]
        mission: Option<String>,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 1_000)]
        limit: usize,
    },
    /// A record as it lies in the log, why it is dead, and what can be done.
    Show {
        /// A sequence of the log, or a mission.
        #[arg(value_name = "SEQ|MISSION")]
        which: String,
    },
    /// Try it again: a stuck mission, or a record with the code of today.
    Retry {
        /// A sequence of the log, or a mission.
        #[arg(value_name = "SEQ|MISSION")]
        which: String,
    },
}

#[derive(Debug, Args)]
pub struct Logs {
    /// Only what concerns this mission; the beginning of its id will do.
    #[arg(long, value_name = "ID")]
    pub mission: Option<String>,
    /// Only what this worker logged.
    #[arg(long, value_name = "W")]
    pub worker: Option<String>,
    /// Only what is as severe as this, or more.
    #[arg(long, value_name = "L")]
    pub level: Option<crate::trace::Level>,
    /// Only what is not older (90, 90s, 15m, 2h).
    #[arg(long, value_name = "D", value_parser = duration)]
    pub since: Option<Duration>,
    /// Go on with what is logged from now on, until Ctrl-C.
    #[arg(long, short)]
    pub follow: bool,
    /// Only the last so many lines [default: all; with --follow, 20]
    #[arg(short = 'n', long = "lines", value_name = "N")]
    pub lines: Option<usize>,
}

#[derive(Debug, Args)]
pub struct Bench {
    /// A short look whether everything works; its figures mean nothing.
    #[arg(long)]
    pub quick: bool,
    /// Also write the figures of every run into this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Only these.
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    pub only: Vec<crate::bench::Part>,
    /// So many runs, of which the median counts
    #[arg(long, value_name = "N", default_value = "5")]
    pub runs: std::num::NonZeroUsize,
}

#[derive(Debug, Args)]
pub struct Setup {
    /// Write the server's configuration into this folder.
    #[arg(long, value_name = "DIR")]
    pub write: Option<PathBuf>,
}

fn usd(text: &str) -> Result<f64, String> {
    let amount = text.parse::<f64>().ok().filter(|usd| usd.is_finite() && *usd >= 0.0);
    amount.ok_or_else(|| format!("`{text}` is no amount in US dollars: write a number from 0 up, like 0.50"))
}

/// `90`, `90s`, `1.5m`, `2h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration: write 90, 90s, 15m or 2h");
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let factor = match unit {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let seconds = number.trim().parse::<f64>().map_err(|_| wrong())? * factor;
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_status_can_be_asked_for() {
        use streams::overview::Status as S;
        let all = [
            S::Created,
            S::Planning,
            S::Running,
            S::Pausing,
            S::Paused,
            S::Waiting,
            S::Reflecting,
            S::Completed,
            S::Failed,
            S::Aborted,
        ];
        assert_eq!(all.map(S::as_str), STATUSES);
    }

    #[test]
    fn durations_have_units() {
        for (text, seconds) in [("90", 90.0), ("90s", 90.0), ("1.5m", 90.0), ("2h", 7200.0), ("500ms", 0.5)] {
            assert_eq!(duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "s", "-1", "1d", "inf", "NaN", "1e40h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_goal_or_a_plan_must_be_given() {
        assert!(Cli::try_parse_from(["stage7", "run"]).is_err());
        assert!(Cli::try_parse_from(["stage7", "run", "--plan", "p.json"]).is_ok());
        assert!(Cli::try_parse_from(["stage7", "worker", "baker"]).is_err());
        for amount in ["-1", "NaN", "inf", "much"] {
            assert!(Cli::try_parse_from(["stage7", "run", "x", "--max-cost", amount]).is_err(), "{amount}");
        }
    }
}
