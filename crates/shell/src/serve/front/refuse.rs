//! A connection that there is no room for.
//!
//! A plain one is told so, in HTTP/1.1, whatever it speaks. Closing at once would often be a reset,
//! which takes the words back: so what the client sends is read and forgotten for a moment. Over TLS
//! a handshake is what there is no room for, so that the connection is only closed.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::desk::{Desk, Full};
use super::{CLIENT_TOO_FAST, OVERLOADED, whole_seconds};

const AT_MOST: Duration = Duration::from_secs(1);

/// Closes a connection, with a word where that is possible.
pub(super) fn turn_away(desk: &Desk, stream: TcpStream, why: Full, over_tls: bool) {
    if over_tls {
        return;
    }
    let Some(place) = desk.words() else {
        return;
    };
    let words = words(why, desk.come_back_after());
    drop(tokio::task::spawn_local(async move {
        // Whoever does not listen is closed just as well.
        let _ = tokio::time::timeout(AT_MOST, tell(stream, words)).await;
        drop(place);
    }));
}

async fn tell(mut stream: TcpStream, words: String) -> std::io::Result<()> {
    stream.write_all(words.as_bytes()).await?;
    stream.shutdown().await?;
    let mut scratch = [0; 1024];
    while stream.read(&mut scratch).await? > 0 {}
    Ok(())
}

fn words(why: Full, come_back_after: Duration) -> String {
    let (reason, message) = match why {
        Full::Front => (OVERLOADED, "the server has no room for more connections"),
        Full::Client => (
            CLIENT_TOO_FAST,
            "this address has or opens too many connections",
        ),
    };
    let body = format!(r#"{{"reason":"{reason}","message":"{message}"}}"#);
    format!(
        "HTTP/1.1 429 Too Many Requests\r\n\
         content-type: application/json\r\n\
         content-length: {}\r\n\
         cache-control: no-store\r\n\
         retry-after: {}\r\n\
         connection: close\r\n\r\n\
         {body}",
        body.len(),
        whole_seconds(come_back_after),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_a_whole_response() {
        let text = words(Full::Front, Duration::from_millis(4_200));
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
        assert!(head.contains("retry-after: 5\r\n"), "{head}");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
        assert!(body.contains(r#""reason":"OVERLOADED""#), "{body}");
        assert!(!text.contains("  "), "{text}");
    }
}
