//! The child half of a native plugin that runs in a process of its own.

fn main() -> std::process::ExitCode {
    capabilities::native::child().unwrap_or(std::process::ExitCode::FAILURE)
}
