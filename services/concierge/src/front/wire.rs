//! Reads the question of a gRPC poll without copying it.
//!
//! Reads what clients send: known fields in their usual encoding. Anything else, legal or not, is
//! left to prost.

use hubshift_api::pb::concierge::GetEndpointRequest;

use crate::table::{Asked, Door};

/// The question in a message that prost has decoded.
pub(crate) fn asked(request: &GetEndpointRequest) -> Asked<'_> {
    Asked {
        door: Door::Grpc,
        fleet: &request.fleet,
        device: &request.device,
        known_epoch: Ok(request.known_epoch),
        attached_hub: &request.attached_hub,
        last_connect_error: &request.last_connect_error,
    }
}

/// The question in an encoded `GetEndpointRequest`; `None` where only prost can tell.
pub(super) fn read(message: &[u8]) -> Option<Asked<'_>> {
    let mut asked = Asked {
        door: Door::Grpc,
        fleet: "",
        device: "",
        known_epoch: Ok(0),
        attached_hub: "",
        last_connect_error: "",
    };
    let mut rest = message;
    while let Some((key, tail)) = rest.split_first() {
        // The number of a field, and 2 for text or 0 for a number.
        rest = match *key {
            0x0a => text(tail, &mut asked.fleet)?,
            0x12 => text(tail, &mut asked.device)?,
            0x18 => {
                let (epoch, tail) = number(tail)?;
                asked.known_epoch = Ok(epoch);
                tail
            }
            0x22 => text(tail, &mut asked.attached_hub)?,
            0x2a => text(tail, &mut asked.last_connect_error)?,
            _ => return None,
        };
    }
    Some(asked)
}

/// Reads a text into `field`; returns what follows.
fn text<'a>(bytes: &'a [u8], field: &mut &'a str) -> Option<&'a [u8]> {
    let (length, tail) = number(bytes)?;
    let (text, tail) = tail.split_at_checked(usize::try_from(length).ok()?)?;
    *field = std::str::from_utf8(text).ok()?;
    Some(tail)
}

/// Reads a number below 2^63, and returns what follows.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    fn request() -> impl Strategy<Value = GetEndpointRequest> {
        let epoch = prop_oneof![0u64..1 << 20, any::<u64>()];
        (".{0,20}", ".{0,150}", epoch, ".{0,20}", ".{0,300}").prop_map(
            |(fleet, device, known_epoch, attached_hub, last_connect_error)| GetEndpointRequest {
                fleet,
                device,
                known_epoch,
                attached_hub,
                last_connect_error,
            },
        )
    }

    /// Whatever is read here, prost reads likewise.
    fn agrees(message: &[u8]) -> Result<bool, TestCaseError> {
        let Some(read) = read(message) else {
            return Ok(false);
        };
        let decoded = GetEndpointRequest::decode(message);
        let decoded = decoded.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(format!("{read:?}"), format!("{:?}", asked(&decoded)));
        Ok(true)
    }

    proptest! {
        #[test]
        fn what_clients_send_is_read_without_prost(request in request()) {
            let is_read = agrees(&request.encode_to_vec())?;
            prop_assert_eq!(is_read, request.known_epoch < 1 << 63);
        }

        #[test]
        fn anything_else_is_read_as_prost_does_or_not_at_all(
            request in request(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
            tail in proptest::collection::vec(any::<u8>(), 0..12)
        ) {
            let mut message = request.encode_to_vec();
            message.extend(tail);
            if !message.is_empty() {
                let at = at.index(message.len());
                message[at] = byte;
            }
            agrees(&message)?;
        }

        #[test]
        fn noise_is_read_as_prost_does_or_not_at_all(
            message in proptest::collection::vec(prop_oneof![
                Just(0x0au8), Just(0x12), Just(0x18), Just(0x22), Just(0x2a), 0u8..8, any::<u8>()
            ], 0..40)
        ) {
            agrees(&message)?;
        }
    }

    #[test]
    fn a_field_that_comes_twice_counts_as_it_came_last() {
        let first = GetEndpointRequest {
            fleet: "fleets/a".into(),
            ..GetEndpointRequest::default()
        };
        let second = GetEndpointRequest {
            fleet: "fleets/b".into(),
            ..GetEndpointRequest::default()
        };
        let both = [first.encode_to_vec(), second.encode_to_vec()].concat();
        assert_eq!(read(&both).unwrap().fleet, "fleets/b");
    }
}
