//! Carries a nudge by e-mail: SMTP submission (RFC 6409) under STARTTLS (RFC 3207), which is never left out. A message is
//! a few lines of ASCII that are written here, so that it holds what stands below and nothing else.

use std::sync::Arc;
use std::time::Duration;

use lettre::Address;
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use rustls::pki_types::ServerName;
use time::format_description::well_known::Rfc2822;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Failed, starttls};
use crate::domain::clock::Clock;
use crate::service::nudge::send::Outgoing;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a whole try may take; well within a message's lease.
const TRY: Duration = Duration::from_secs(40);
/// How a login is made: under TLS, where the password is the mail server's to see.
const LOGINS: &[Mechanism] = &[Mechanism::Plain, Mechanism::Login];

/// A way to a mail server.
pub struct Mailer {
    host: String,
    port: u16,
    from: Address,
    login: Option<Credentials>,
    tls: TlsConnector,
    name: ServerName<'static>,
}

impl Mailer {
    /// A way to a mail server that is verified against `ca` (PEM), else against the system's authorities. None when the
    /// parts do not fit together.
    pub(super) fn new(
        host: &str,
        port: u16,
        from: &str,
        login: Option<(String, zeroize::Zeroizing<String>)>,
        ca: Option<&[u8]>,
    ) -> Option<Self> {
        let tls = Arc::new(crate::tls::outward_config(ca).ok()?);
        Some(Self {
            host: host.to_owned(),
            port,
            from: from.parse().ok()?,
            login: login.map(|(user, password)| Credentials::new(user, password.to_string())),
            tls: TlsConnector::from(tls),
            name: ServerName::try_from(host.to_owned()).ok()?,
        })
    }

    /// Hands a message to the mail server.
    ///
    /// # Errors
    /// [`Failed`]: at what. The server's words may hold an address and are left out.
    pub async fn carry(&self, message: &Outgoing) -> Result<(), Failed> {
        tokio::time::timeout(TRY, self.submit(message))
            .await
            .map_err(|_| Failed::TooSlow)?
    }

    async fn submit(&self, message: &Outgoing) -> Result<(), Failed> {
        let to: Address = message.to.parse().map_err(|_| Failed::Address)?;
        let envelope =
            Envelope::new(Some(self.from.clone()), vec![to]).map_err(|_| Failed::Address)?;
        let text = self.message(message)?;
        let hello = ClientId::Domain(self.from.domain().to_owned());
        let tcp =
            tokio::time::timeout(CONNECT, TcpStream::connect((self.host.as_str(), self.port)))
                .await
                .map_err(|_| Failed::TooSlow)?
                .map_err(|_| Failed::Unreachable)?;
        let domain = self.from.domain();
        let secured = starttls::secure(tcp, domain, &self.tls, self.name.clone()).await?;
        let mut smtp = AsyncSmtpConnection::connect_with_transport(Box::new(secured), &hello)
            .await
            .map_err(|_| Failed::Refused)?;
        let sent = self.dialogue(&mut smtp, &envelope, &text).await;
        if sent.is_ok() {
            // The server has it; how it says goodbye changes nothing.
            drop(smtp.quit().await);
        } else {
            smtp.abort().await;
        }
        sent
    }

    async fn dialogue(
        &self,
        smtp: &mut AsyncSmtpConnection,
        envelope: &Envelope,
        text: &str,
    ) -> Result<(), Failed> {
        if let Some(login) = &self.login {
            smtp.auth(LOGINS, login).await.map_err(|_| Failed::Login)?;
        }
        smtp.send(envelope, text.as_bytes())
            .await
            .map_err(|_| Failed::Refused)?;
        Ok(())
    }

    /// The whole message (RFC 5322). Its identifier is the same at each try, so that mail programs fold what comes twice.
    fn message(&self, message: &Outgoing) -> Result<String, Failed> {
        let date = Clock::System
            .now()
            .format(&Rfc2822)
            .map_err(|_| Failed::Address)?;
        Ok(format!(
            "From: <{from}>\r\nTo: <{to}>\r\nSubject: {text}\r\nDate: {date}\r\nMessage-ID: <{id}@{domain}>\r\n\
             Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
             {text}\r\n",
            from = self.from,
            to = message.to,
            text = message.text,
            id = message.id,
            domain = self.from.domain(),
        ))
    }
}
