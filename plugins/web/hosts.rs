//! Which hosts somebody named.

use std::{fmt, str::FromStr};
use url::{Host, Url};

/// `host` (ports 443 and 80) or `host:port`, many separated by commas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts(Vec<(Host, Option<u16>)>);

/// Ports of an entry that names none.
const PORTS: [u16; 2] = [443, 80];

impl Hosts {
    /// Is a URL's host among them, by the name and port that it has there?
    pub fn hold(&self, url: &Url) -> bool {
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else { return false };
        let host = host.to_owned();
        self.0.iter().any(|(name, of)| *name == host && of.map_or(PORTS.contains(&port), |of| of == port))
    }
}

impl FromStr for Hosts {
    type Err = NotHosts;

    fn from_str(text: &str) -> Result<Self, NotHosts> {
        let named = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let hosts = named.map(|entry| {
            let (host, port) = match entry.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
                Some((host, Ok(port))) if port > 0 => (host, Some(port)),
                _ => (entry, None),
            };
            Host::parse(host).map(|host| (host, port)).map_err(|_| NotHosts(entry.into()))
        });
        hosts.collect::<Result<_, _>>().map(Self)
    }
}

/// What is no host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotHosts(String);

impl fmt::Display for NotHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is neither `host` nor `host:port`", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_holds_its_host_and_port_only() {
        let hosts: Hosts = "127.0.0.1:8080, intra.example,[::1]:81".parse().expect("hosts");
        for (url, held) in [
            ("http://127.0.0.1:8080/x", true),
            ("http://127.0.0.1/", false),
            ("http://127.0.0.1:8081/", false),
            ("http://localhost:8080/", false),
            ("http://0x7f.1:8080/", true),
            ("https://intra.example/", true),
            ("http://INTRA.example:80/", true),
            ("http://intra.example:8080/", false),
            ("http://x.intra.example/", false),
            ("http://[::1]:81/", true),
            ("http://[::1]/", false),
        ] {
            assert_eq!(hosts.hold(&Url::parse(url).expect("a URL")), held, "{url}");
        }
    }

    #[test]
    fn what_is_no_host_is_named() {
        for (text, wrong) in
            [("a.example,http://b.example", "http://b.example"), ("a b", "a b"), ("a:0", "a:0"), ("a:99999", "a:99999")]
        {
            let why = text.parse::<Hosts>().expect_err(text);
            assert_eq!(why.to_string(), format!("`{wrong}` is neither `host` nor `host:port`"));
        }
    }
}
