//! Plugins that ask the internet, against local servers that speak as the real ones do.

mod api_client;
mod scrape;
mod search;
mod support;
mod weather;
mod web;
