//! `stage7 replay …`: what a mission was, from its log alone.

use crate::{
    cli::Replay,
    config::Config,
    exit::{Code, Error},
};

pub async fn run(_config: &Config, _asked: Replay, _json: bool) -> Result<Code, Error> {
    Err(Error::failed("?"))
}
