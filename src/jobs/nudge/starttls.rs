//! The first words with a mail server, up to TLS (RFC 3207). They are spoken here and not by lettre, which keeps what was
//! sent in the clear behind the answer to STARTTLS and takes it for what is said under TLS: somebody on the way could have
//! answered in the server's stead. Here nothing may follow that answer, and the TLS is ours.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Failed;

/// The longest reply, in bytes.
const REPLY_MOST: usize = 8_192;
/// What lettre waits for first on a connection: here the server has said it already.
const GREETING: &[u8] = b"220 under TLS\r\n";

/// A connection to a mail server under TLS, on which nothing was said yet.
pub(super) struct Secured {
    greeting: &'static [u8],
    tls: TlsStream<TcpStream>,
}

/// Speaks with a server up to TLS.
///
/// # Errors
/// [`Failed::NoStartTls`] when it offers none, [`Failed::Tls`] when its certificate is not trusted or anything follows its
/// answer in the clear.
pub(super) async fn secure(
    mut tcp: TcpStream,
    hello: &str,
    tls: &TlsConnector,
    name: ServerName<'static>,
) -> Result<Secured, Failed> {
    reply(&mut tcp, "220").await?;
    let offers = say(&mut tcp, &format!("EHLO {hello}\r\n"), "250").await?;
    let starttls = |line: &str| {
        line.get(4..)
            .is_some_and(|word| word.eq_ignore_ascii_case("STARTTLS"))
    };
    if !offers.lines().any(starttls) {
        return Err(Failed::NoStartTls);
    }
    say(&mut tcp, "STARTTLS\r\n", "220").await?;
    let tls = tls.connect(name, tcp).await.map_err(|_| Failed::Tls)?;
    Ok(Secured {
        greeting: GREETING,
        tls,
    })
}

async fn say(tcp: &mut TcpStream, line: &str, code: &str) -> Result<String, Failed> {
    let sent = tcp.write_all(line.as_bytes()).await;
    sent.map_err(|_| Failed::Unreachable)?;
    reply(tcp, code).await
}

/// Reads one whole reply, which must have this code.
async fn reply(tcp: &mut TcpStream, code: &str) -> Result<String, Failed> {
    let mut read = Vec::new();
    let mut chunk = [0_u8; 512];
    loop {
        let n = tcp
            .read(&mut chunk)
            .await
            .map_err(|_| Failed::Unreachable)?;
        read.extend_from_slice(chunk.get(..n).unwrap_or_default());
        if n == 0 || read.len() > REPLY_MOST {
            return Err(Failed::Refused);
        }
        if whole(&read)? {
            let text = String::from_utf8(read).map_err(|_| Failed::Refused)?;
            let expected = text.lines().all(|line| line.starts_with(code));
            return if expected {
                Ok(text)
            } else {
                Err(Failed::Refused)
            };
        }
    }
}

/// Whether a reply is complete: its last line has no hyphen behind the code (RFC 5321, section 4.2.1).
///
/// # Errors
/// [`Failed::Tls`] when anything follows it: a server speaks when it is spoken to.
fn whole(read: &[u8]) -> Result<bool, Failed> {
    let mut rest = read;
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let after = rest.get(end + 2..).unwrap_or_default();
        if rest.get(3) != Some(&b'-') {
            return if after.is_empty() {
                Ok(true)
            } else {
                Err(Failed::Tls)
            };
        }
        rest = after;
    }
    Ok(false)
}

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secured[sealed]")
    }
}

impl AsyncTokioStream for Secured {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tls.get_ref().0.peer_addr()
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.greeting.is_empty() {
            return Pin::new(&mut self.tls).poll_read(context, buffer);
        }
        let n = self.greeting.len().min(buffer.remaining());
        let (now, later) = self.greeting.split_at(n);
        buffer.put_slice(now);
        self.greeting = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_ends_with_its_last_line_and_nothing_may_follow_it_in_the_clear() {
        assert_eq!(whole(b"250-mail.example\r\n250 STARTTLS\r\n"), Ok(true));
        for part in [
            &b""[..],
            b"2",
            b"250-mail.example\r\n",
            b"250-a\r\n250 STARTTLS\r",
        ] {
            assert_eq!(whole(part), Ok(false));
        }
        for more in [&b"220 go\r\n250 said by another\r\n"[..], b"220 go\r\n2"] {
            assert_eq!(whole(more), Err(Failed::Tls));
        }
    }
}
