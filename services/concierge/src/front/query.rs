//! The query of `GET …/endpoint`, as forms are encoded: `+` is a space, `%` starts a byte, a
//! parameter that comes twice counts as it came last, unknown ones are passed over.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::table::{Asked, Door};

/// The parameters; what was not given is empty. Borrowed wherever nothing was escaped.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Params<'a> {
    device: Cow<'a, str>,
    epoch: Cow<'a, str>,
    hub: Cow<'a, str>,
    error: Cow<'a, str>,
}

impl<'a> Params<'a> {
    /// Reads a query. There is none that is malformed.
    pub(super) fn of(query: &'a str) -> Self {
        let mut params = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if let Some(param) = params.param(&unescaped(name)) {
                *param = unescaped(value);
            }
        }
        params
    }

    fn param(&mut self, name: &str) -> Option<&mut Cow<'a, str>> {
        match name {
            "device" => Some(&mut self.device),
            "epoch" => Some(&mut self.epoch),
            "hub" => Some(&mut self.hub),
            "error" => Some(&mut self.error),
            _ => None,
        }
    }

    /// The question about a fleet.
    pub(super) fn asked<'s>(&'s self, fleet: &'s str) -> Asked<'s> {
        let known_epoch = match &*self.epoch {
            "" => Ok(0),
            text => text.parse().map_err(|_| text),
        };
        Asked {
            door: Door::Http,
            fleet,
            device: &self.device,
            known_epoch,
            attached_hub: &self.hub,
            last_connect_error: &self.error,
        }
    }
}

/// A name or a value of a query.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(in_path(&spaced).into_owned())
}

/// A segment of a path, in which `+` is itself.
pub(super) fn in_path(segment: &str) -> Cow<'_, str> {
    percent_decode(segment.as_bytes()).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use axum::extract::Query;
    use proptest::prelude::*;

    use super::*;

    /// What axum, by serde_urlencoded, reads.
    fn slow(query: &str) -> [String; 4] {
        let uri = format!("http://concierge/?{query}").parse().unwrap();
        let Query(mut map) = Query::<HashMap<String, String>>::try_from_uri(&uri).unwrap();
        ["device", "epoch", "hub", "error"].map(|name| map.remove(name).unwrap_or_default())
    }

    fn fast(query: &str) -> [String; 4] {
        let Params {
            device,
            epoch,
            hub,
            error,
        } = Params::of(query);
        [device, epoch, hub, error].map(Cow::into_owned)
    }

    /// Names and values that are given, escaped, misspelt or missing.
    fn pair() -> impl Strategy<Value = String> {
        let name = prop_oneof![
            Just("device".to_owned()),
            Just("epoch".to_owned()),
            Just("hub".to_owned()),
            Just("error".to_owned()),
            Just("d%65vice".to_owned()),
            "[a-z+%0-9]{0,8}",
        ];
        let value = prop_oneof![
            Just(String::new()),
            Just("=".to_owned()),
            "=[A-Za-z0-9.:_%+=?!/@$'(),;*-]{0,40}",
            "(=(%[0-9a-fA-F]{2}){0,8})?",
        ];
        (name, value).prop_map(|(name, value)| name + &value)
    }

    proptest! {
        #[test]
        fn a_query_is_read_as_serde_urlencoded_reads_it(
            pairs in proptest::collection::vec(pair(), 0..8)
        ) {
            let query = pairs.join("&");
            prop_assert_eq!(fast(&query), slow(&query));
        }
    }

    #[test]
    fn what_is_not_escaped_is_not_copied() {
        let params = Params::of("device=d-1&epoch=1024&hub=east&error=refused");
        for part in [&params.device, &params.epoch, &params.hub, &params.error] {
            assert!(matches!(part, Cow::Borrowed(text) if !text.is_empty()));
        }
    }

    #[test]
    fn every_character_that_hubs_allow_comes_through() {
        let legal = "Az9-:.+%_#*?!(),=@;$'";
        let escaped: String = legal.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let query = format!("device={escaped}");
        let params = Params::of(&query);
        assert_eq!(params.asked("acme").device, legal);
        assert_eq!(Params::of("device=a+b").asked("acme").device, "a b");
    }

    #[test]
    fn an_epoch_is_a_whole_number_or_is_shown_as_it_came() {
        let epoch = |query: &str| match Params::of(query).asked("acme").known_epoch {
            Ok(epoch) => epoch.to_string(),
            Err(text) => format!("not {text}"),
        };
        assert_eq!(epoch(""), "0");
        assert_eq!(epoch("epoch=2049"), "2049");
        assert_eq!(epoch("epoch=-1"), "not -1");
        assert_eq!(
            epoch("epoch=18446744073709551616"),
            "not 18446744073709551616"
        );
    }
}
