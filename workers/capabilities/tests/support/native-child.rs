//! What the stage7 binary is when it was started by itself.

fn main() -> std::process::ExitCode {
    capabilities::child().unwrap_or(std::process::ExitCode::FAILURE)
}
