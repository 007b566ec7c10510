//! The server, in a process of its own: its time and its memory are not ours.

use model_servers::{Dialect, Reply, Server};
use std::{
    io::{BufRead, BufReader, Write, stdin},
    process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio},
};

/// The argument that makes this program the server.
pub const SERVE: &str = "serve";
pub const KEY: &str = "a-key";
pub const NAME: &str = "m";
pub const PROMPT: &str = "Tell me of the sea.";
/// Some eighty pieces.
pub const ANSWER: &str = "The sea is wide and old, and it keeps its own time. Ships cross it with grain and with news, and \
    those who wait on the shore count the tides. At night the lamps of the harbour lie on the water like a second \
    town, and the wind brings salt to every door. Nobody owns it, and everybody has a story of it: of a storm, of a \
    calm, of an island that was there in the morning and gone by noon.";

/// Answers until its input ends. A line of it: `hold` the end of each stream back, `release` them, or only `count`;
/// to each it says how many calls there were.
pub fn serve() -> ExitCode {
    let server = Server::start(Dialect::OpenAi, |_| Reply::text(ANSWER));
    println!("{}", server.url);
    let mut held = None;
    for line in stdin().lines().map_while(Result::ok) {
        match line.as_str() {
            "hold" => held = Some(server.hold()),
            "release" => drop(held.take()),
            _ => {}
        }
        println!("{}", server.count(NAME));
    }
    ExitCode::SUCCESS
}

/// That process; it ends with this one.
pub struct Model {
    pub url: String,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    child: Child,
}

impl Model {
    pub fn start() -> Self {
        let mut command = Command::new("/proc/self/exe");
        let mut child =
            command.arg(SERVE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("this program runs");
        let (input, output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let mut model = Self { url: String::new(), input, output: BufReader::new(output), child };
        model.url = model.line();
        model
    }

    /// Gives how many calls there were so far.
    pub fn say(&mut self, word: &str) -> usize {
        writeln!(self.input, "{word}").expect("the server runs");
        self.line().parse().expect("a number")
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the server answers");
        line.trim().into()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
