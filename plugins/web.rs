//! The one HTTP client of native plugins.
//!
//! Addresses of the machine and its networks are refused where they are connected to: the client
//! looks names up here, and an address in a URL is judged before it is asked, on every hop. So a
//! name that changes its address between check and use gains nothing. Only hosts that the operator
//! names are exempt. Variables such as `HTTPS_PROXY` do not count: a proxy would look names up by
//! itself, behind the guard.

pub mod address;
mod answer;
mod hosts;
mod redirect;

pub use answer::Answer;
pub use hosts::Hosts;
pub use redirect::redirected;
pub use reqwest::{Method, header};

use crate::run::Failure;
use address::is_public;
use futures::future::BoxFuture;
use header::HeaderMap;
use reqwest::{
    Client, Response,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use std::{
    error::Error,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};
use url::{Host, Url};

/// How this program is called among those who ask.
pub const AGENT: &str = "stage7";
/// One exchange, from its beginning to the last byte; and all hops of a request together.
const LONGEST: Duration = Duration::from_secs(30);
const CONNECTED: Duration = Duration::from_secs(10);
/// Redirects of one request.
const HOPS: usize = 10;
/// Bytes of an answer, unpacked, where nobody says otherwise.
const MOST: usize = 8 << 20;

/// Finds the addresses of a name.
pub type Lookup = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Option<Vec<u8>>,
    /// Bytes of the answer, unpacked.
    pub most: usize,
}

/// The client.
pub struct Web {
    lookup: Arc<Lookup>,
    private: Hosts,
    clients: OnceLock<Result<Clients, String>>,
}

/// One for everybody, one for hosts that the operator allows.
struct Clients {
    public: Client,
    private: Client,
}

impl Web {
    pub fn new(private: Hosts) -> Self {
        Self::with_lookup(private, Arc::new(|name| Box::pin(system(name))))
    }

    /// Names are looked up by `lookup` rather than by the system.
    pub fn with_lookup(private: Hosts, lookup: Arc<Lookup>) -> Self {
        Self { lookup, private, clients: OnceLock::new() }
    }

    /// Does the operator allow a URL's host by name?
    pub fn is_private(&self, url: &Url) -> bool {
        self.private.hold(url)
    }

    /// Asks, and follows redirects. An answer with any status is an answer.
    ///
    /// # Errors
    /// The host is refused or can't be reached, or its answer is too long, too slow or leads astray.
    pub async fn fetch(&self, request: Request) -> Result<Answer, Failure> {
        let from = shown(&request.url);
        let all = async {
            let mut request = request;
            for _ in 0..=HOPS {
                let answer = self.exchange(&request).await?;
                match redirected(&request, &answer)? {
                    Some(next) => request = next,
                    None => return answer.whole(),
                }
            }
            Err(Failure::permanent(format!("{from} redirects more than {HOPS} times")))
        };
        let late = |_| Failure::transient(format!("{from} did not answer in time"));
        tokio::time::timeout(LONGEST, all).await.map_err(late)?
    }

    /// Asks once. A redirect is an answer, and one that is too long is cut.
    ///
    /// # Errors
    /// The host is refused or can't be reached, or its answer is broken or too slow.
    pub async fn exchange(&self, request: &Request) -> Result<Answer, Failure> {
        let url = &request.url;
        let allowed = self.private.hold(url);
        let address = match url.host() {
            Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
            Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
            _ => None,
        };
        if let Some(address) = address.filter(|address| !allowed && !is_public(*address)) {
            return Err(refused(url, address));
        }
        let clients = self.clients.get_or_init(|| self.clients());
        let clients = clients.as_ref().map_err(|why| Failure::permanent(format!("no HTTP client: {why}")))?;
        let client = if allowed { &clients.private } else { &clients.public };
        let mut asked = client.request(request.method.clone(), url.clone()).headers(request.headers.clone());
        if let Some(body) = &request.body {
            asked = asked.body(body.clone());
        }
        let broken = |error: reqwest::Error| failure(url, &error.without_url());
        let mut response = asked.send().await.map_err(broken)?;
        let (body, cut) = read(&mut response, request.most).await.map_err(broken)?;
        let headers = std::mem::take(response.headers_mut());
        Ok(Answer { url: url.clone(), status: response.status().as_u16(), headers, body, cut })
    }

    fn clients(&self) -> Result<Clients, String> {
        let client = |guarded| {
            Client::builder()
                .user_agent(AGENT)
                .no_proxy()
                .redirect(Policy::none())
                .connect_timeout(CONNECTED)
                .timeout(LONGEST)
                .dns_resolver(Arc::new(Resolver { lookup: Arc::clone(&self.lookup), guarded }))
                .build()
                .map_err(|error| root(&error))
        };
        Ok(Clients { public: client(true)?, private: client(false)? })
    }
}

impl Request {
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: None, most: MOST }
    }

    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }
}

/// Reads an address of the web.
///
/// # Errors
/// It is none, as another input would be.
pub fn parse(text: &str) -> Result<Url, Failure> {
    let right = "give it in full, as https://example.org/page";
    let url = Url::parse(text).map_err(|e| Failure::input(format!("{text:?} is no URL ({e}): {right}")))?;
    match url.scheme() {
        "http" | "https" => {}
        other => return Err(Failure::input(format!("URLs begin with https:// or http://, this one with {other}:"))),
    }
    if !url.username().is_empty() || url.password().is_some() {
        let host = url.host_str().unwrap_or_default();
        return Err(Failure::input(format!("the URL of {host} holds a user or password, which none may")));
    }
    // Messages tell people commands with this name in it.
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    match url.host() {
        Some(Host::Domain(name)) if !is_name(name) => {
            Err(Failure::input(format!("the URL's host {name:?} has characters that no host has")))
        }
        _ => Ok(url),
    }
}

/// An address as it may be told: without its query, which may hold a key.
pub fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// The name of a URL's host, with its port where that is not the usual one.
pub fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.into(), |port| format!("{host}:{port}"))
}

/// Looks names up, and keeps back what may not be connected to.
struct Resolver {
    lookup: Arc<Lookup>,
    guarded: bool,
}

/// The only addresses of a name are of the machine or its networks.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not public")]
struct Refused(IpAddr);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (found, guarded) = ((self.lookup)(name.as_str().into()), self.guarded);
        Box::pin(async move {
            let mut found = found.await?;
            let first = found.first().copied();
            found.retain(|address| !guarded || is_public(*address));
            match first {
                Some(first) if found.is_empty() => Err(Refused(first).into()),
                _ => Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs),
            }
        })
    }
}

async fn system(name: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|found| found.ip()).collect())
}

async fn read(response: &mut Response, most: usize) -> reqwest::Result<(Vec<u8>, bool)> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = most - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok((body, true));
        }
    }
    Ok((body, false))
}

fn refused(url: &Url, address: IpAddr) -> Failure {
    let host = host(url);
    let leads = if url.host_str().is_some_and(|host| host.trim_matches(['[', ']']) == address.to_string()) {
        format!("{host} is refused: it is an address")
    } else {
        format!("{host} is refused: it leads to {address}, an address")
    };
    Failure::permanent(format!(
        "{leads} of this machine or its networks; an operator can allow it: workers.private_hosts (STAGE7_PRIVATE_HOSTS={host})"
    ))
}

fn failure(url: &Url, error: &reqwest::Error) -> Failure {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(Refused(address)) = inner.downcast_ref() {
            return refused(url, *address);
        }
        source = inner.source();
    }
    let at = shown(url);
    match error {
        _ if error.is_timeout() => Failure::transient(format!("{at} did not answer in time")),
        _ if error.is_builder() => Failure::input(format!("{at} can't be asked: {}", root(error))),
        _ => Failure::transient(format!("{at} can't be reached: {}", root(error))),
    }
}

/// What lies at the bottom of an error; the layers above say less.
fn root(error: &dyn Error) -> String {
    let mut bottom = error;
    while let Some(inner) = bottom.source() {
        bottom = inner;
    }
    bottom.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_several_addresses_only_the_public_ones_are_connected_to() {
        let all: Vec<IpAddr> =
            ["10.0.0.1", "1.1.1.1", "::1", "2606:4700::1111"].map(|a| a.parse().expect("one")).into();
        for (guarded, found) in [(true, vec![all[1], all[3]]), (false, all.clone())] {
            let all = all.clone();
            let lookup: Arc<Lookup> = Arc::new(move |_| Box::pin(std::future::ready(Ok(all.clone()))));
            let name = "several.example".parse().expect("a name");
            let addresses = Resolver { lookup, guarded }.resolve(name).await.expect("some");
            assert_eq!(addresses.map(|address| address.ip()).collect::<Vec<_>>(), found);
        }
    }
}
