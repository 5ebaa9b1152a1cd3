//! `http://NAME[:PORT][/PATH]`, as much of RFC 3986 as an example needs.

use std::str::FromStr;

/// Where a page is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Url {
    /// A name or an address, an IPv6 one in its brackets.
    pub(crate) host: String,
    /// The TCP port.
    pub(crate) port: u16,
    /// What to ask the server for.
    pub(crate) path: String,
}

impl FromStr for Url {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Url, Self::Err> {
        let rest = text
            .strip_prefix("http://")
            .ok_or("it does not begin with http://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // The colons of an IPv6 address stand inside its brackets.
        let name_end = authority.find(']').unwrap_or(0);
        let (host, port) = match authority[name_end..].rfind(':') {
            Some(colon) => {
                let (host, port) = authority.split_at(name_end + colon);
                (
                    host,
                    port[1..]
                        .parse()
                        .map_err(|_| "its port is not a number up to 65535")?,
                )
            }
            None => (authority, 80),
        };
        if host.is_empty() || text.contains(|c: char| c.is_ascii_control() || c == ' ') {
            return Err("it has no name, or a space in it");
        }
        let path = if path.is_empty() { "/" } else { path };
        Ok(Url {
            host: host.into(),
            port,
            path: path.into(),
        })
    }
}
