//! Where a place is.

use super::address;
use crate::{
    run::{Failure, Run},
    web::{Request, Web},
};
use serde_json::Value;

pub struct Place {
    pub name: String,
    pub latitude: f64,
    pub longitude: f64,
}

impl Place {
    /// Reads `latitude,longitude`, or looks a name up.
    ///
    /// # Errors
    /// There is no such place; the failure names some that are called like it.
    pub async fn find(run: &Run, web: &Web, location: &str) -> Result<Self, Failure> {
        let location = location.trim();
        if let Some(place) = coordinates(location)? {
            return Ok(place);
        }
        if let Some(place) = found(run, web, location, 1).await?.into_iter().next() {
            return Ok(place);
        }
        // `Pariss, France`: perhaps its first part is known elsewhere, or in another spelling.
        let first = location.split(',').next().unwrap_or_default().trim();
        let mut similar = if first == location { Vec::new() } else { found(run, web, first, 5).await? };
        let word = first.split_whitespace().max_by_key(|word| word.chars().count()).unwrap_or_default();
        if similar.is_empty() && word != first {
            similar = found(run, web, word, 5).await?;
        }
        let names: Vec<_> = similar.into_iter().map(|place| place.name).collect();
        let remedy = match names.is_empty() {
            true => "check its spelling, or give `latitude,longitude`, as 52.52,13.41".to_string(),
            false => format!("is it one of these? {}", names.join("; ")),
        };
        Err(Failure::input(format!("no place is called {location:?}: {remedy}")))
    }
}

fn coordinates(location: &str) -> Result<Option<Place>, Failure> {
    let numbers = location.split_once(',').map(|(a, b)| (a.trim().parse::<f64>(), b.trim().parse::<f64>()));
    let Some((Ok(latitude), Ok(longitude))) = numbers else { return Ok(None) };
    if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
        let right = "the latitude (-90 to 90) comes first, then the longitude (-180 to 180)";
        return Err(Failure::input(format!("{location:?} is nowhere on earth: {right}")));
    }
    Ok(Some(Place { name: format!("{latitude}, {longitude}"), latitude, longitude }))
}

/// Places of a name, the best known first. `Paris, Texas` narrows it.
async fn found(run: &Run, web: &Web, name: &str, count: usize) -> Result<Vec<Place>, Failure> {
    let query = [("name", name), ("count", &count.to_string()), ("language", "en"), ("format", "json")];
    let url = address(run, "geocoding_url", "/v1/search", &query)?;
    let told = web.fetch(Request::get(url)).await?.good()?.json()?;
    let place = |of: &Value| {
        let parts = ["name", "admin1", "country"].into_iter().filter_map(|part| of[part].as_str());
        let mut parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
        parts.dedup();
        Some(Place { name: parts.join(", "), latitude: of["latitude"].as_f64()?, longitude: of["longitude"].as_f64()? })
    };
    // Without any there is no `results`.
    Ok(told["results"].as_array().into_iter().flatten().filter_map(place).collect())
}
