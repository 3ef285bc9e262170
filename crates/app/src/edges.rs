//! The edges of one process: bound early, served until a signal, stopped gracefully.

use anyhow::{Context, Result};
use base::{Actor, DecisionId, Ids as _};
use hyper::body::Incoming;
use ledger::{Entry, Phase, UserIdentity};
use protocols::peer::TrustedProxies;
use serde_json::json;
use std::{io::IsTerminal, num::NonZeroU32, path::Path, sync::Arc};
use store::journal::{State, Way};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::Part,
    compose::System,
    config::{Config, Edge},
    installation::grace,
    names::KnownNames,
    serve::{Answer, Certificate, Listener},
};

/// Sockets that are bound, so that a taken port is found before anything is opened.
pub(crate) struct Bound {
    web: Option<(Listener, String)>,
    aws: Option<(Listener, String)>,
    /// SIGHUP, where an edge has a certificate to be read again; without one it ends the process, as a closed terminal does.
    hangup: Option<Signal>,
}

impl Bound {
    /// Binds the edges that this process serves.
    ///
    /// # Errors
    /// When an address is taken or a certificate cannot be used.
    pub(crate) async fn bind(config: &Config, parts: &[Part]) -> Result<Self> {
        let mut bound = Self { web: None, aws: None, hangup: None };
        if parts.contains(&Part::Web) {
            bound.web = Some(listen(&config.web).await.context("the web edge")?);
        }
        if parts.contains(&Part::Aws) {
            bound.aws = Some(listen(&config.aws).await.context("the AWS edge")?);
        }
        if !bound.certificates().is_empty() {
            bound.hangup = Some(signal(SignalKind::hangup())?);
        }
        Ok(bound)
    }
    /// The certificates of the edges, with the edge's name.
    fn certificates(&self) -> Vec<(&'static str, Arc<Certificate>)> {
        let edges = [("web", &self.web), ("aws", &self.aws)].into_iter();
        edges.filter_map(|(edge, bound)| Some((edge, bound.as_ref()?.0.certificate()?))).collect()
    }
    /// URL of the web edge; empty when this process does not serve it.
    pub(crate) fn web_url(&self) -> &str {
        self.web.as_ref().map_or("", |(_, url)| url)
    }
    /// Port of the web edge; 0 when this process does not serve it.
    pub(crate) fn web_port(&self) -> u16 {
        port(self.web_url())
    }
    /// Port of the AWS edge; 0 when this process does not serve it.
    pub(crate) fn aws_port(&self) -> u16 {
        port(self.aws_url())
    }
    /// URL of the AWS edge; empty when this process does not serve it.
    pub(crate) fn aws_url(&self) -> &str {
        self.aws.as_ref().map_or("", |(_, url)| url)
    }
}

fn port(url: &str) -> u16 {
    url::Url::parse(url).ok().and_then(|url| url.port_or_known_default()).unwrap_or(0)
}

async fn listen(edge: &Edge) -> Result<(Listener, String)> {
    let tls: Option<(&Path, &Path)> = edge.tls_cert_file.as_deref().zip(edge.tls_key_file.as_deref());
    let listener = Listener::bind(edge.listen, tls).await?;
    let real = Edge { listen: listener.address()?, ..edge.clone() };
    Ok((listener, real.url()))
}

/// Serves until `stop`, then lets open requests finish.
///
/// # Errors
/// When an edge cannot be built.
pub(crate) async fn serve(bound: Bound, config: &Config, system: Arc<System>, stop: CancellationToken) -> Result<()> {
    let certificates = bound.certificates();
    let Bound { web, aws, hangup } = bound;
    let aws_url = aws.as_ref().map_or_else(|| config.aws.url(), |(_, url)| url.clone());
    let mut registry = prometheus_client::registry::Registry::with_prefix("galen");
    let aws_service = aws_service(config, &system, &mut registry)?;
    let web_service = web_service(config, &system, aws_url, Arc::new(registry))?;
    let serving_web = async {
        if let Some((listener, _)) = web {
            listener.serve(WebEdge(web_service), config.limits.connections_max, stop.clone(), grace(config)).await;
        }
    };
    let serving_aws = async {
        if let Some((listener, _)) = aws {
            listener.serve(aws_service, config.limits.connections_max, stop.clone(), grace(config)).await;
        }
    };
    tokio::join!(serving_web, serving_aws, reload(hangup, &certificates, config, &system, &stop));
    Ok(())
}

/// Reads the certificates again at each SIGHUP, until `stop`.
async fn reload(
    hangup: Option<Signal>,
    certificates: &[(&'static str, Arc<Certificate>)],
    config: &Config,
    system: &System,
    stop: &CancellationToken,
) {
    let Some(mut hangup) = hangup else { return };
    while let Some(Some(())) = stop.run_until_cancelled(hangup.recv()).await {
        for (edge, certificate) in certificates {
            let file = certificate.file().display();
            match replace(edge, certificate, config, system).await {
                Ok(()) => tracing::info!(%file, "the certificate was read again: new connections are shown it"),
                Err(error) => tracing::error!(
                    error = format!("{error:#}"),
                    "THE NEW CERTIFICATE CANNOT BE USED and the old one stays: mend the files, then send SIGHUP again"
                ),
            }
        }
    }
}

/// Reads the certificate of an edge again and shows it, once the ledger tells which: an act of Galen itself, because whoever is at
/// the machine has not signed in.
async fn replace(edge: &str, certificate: &Certificate, config: &Config, system: &System) -> Result<()> {
    let new = certificate.read_again()?;
    let (id, who) = (DecisionId::from_uuid(system.effects.uuid()), UserIdentity::new(Actor::System));
    let mut entry = Entry::new(Phase::Note, id, system.effects.now(), "galen.tls", "ReplaceCertificate", who);
    entry.aws_region = Some(config.region.clone());
    entry.request_parameters = Some(json!({
        "edge": edge,
        "file": certificate.file(),
        "sha256": new.fingerprint().map(|digest| digest.to_string()),
    }));
    system.journal.take(vec![entry.encode()?], Way::Reserved).await?.await?;
    certificate.replace(new);
    Ok(())
}

fn aws_service(
    config: &Config,
    system: &System,
    registry: &mut prometheus_client::registry::Registry,
) -> Result<AwsEdge> {
    let deps = aws::Deps {
        access: system.access.clone(),
        objects: system.objects.clone(),
        buckets: system.buckets.clone(),
        names: names(system),
        identity: Arc::new(system.provider.clone()),
        effects: system.effects.clone(),
        waiting: waiting(system),
    };
    let options = aws::Options {
        domains: config.aws.domains.clone(),
        trusted_proxies: TrustedProxies::new(config.aws.trusted_proxies.clone()),
        rates: aws::Rates {
            source_per_second: rate(config.limits.requests_per_source)?,
            principal_per_second: rate(config.limits.requests_per_principal)?,
        },
        ..aws::Options::new(config.region.clone(), config.account)
    };
    Ok(AwsEdge(aws::Aws::new(deps, options, registry)?))
}

fn names(system: &System) -> Arc<dyn evidence::Names> {
    Arc::new(KnownNames {
        access: system.access.clone(),
        directory: system.directory.clone(),
        governance: system.governance.clone(),
    })
}

/// What is not ready: the ledger where it cannot be written, the state where it is too old to judge by.
fn waiting(system: &System) -> Arc<dyn Fn() -> Vec<&'static str> + Send + Sync> {
    let (journal, store) = (Arc::clone(&system.journal), system.store.clone());
    Arc::new(move || {
        let ledger = matches!(journal.stats().state, State::ReadOnly | State::Failed).then_some("ledger");
        let state = (store.age() > access::STREAM_FRESH_WITHIN).then_some("state");
        ledger.into_iter().chain(state).collect()
    })
}

fn rate(per_second: u32) -> Result<NonZeroU32> {
    NonZeroU32::new(per_second).context("a rate limit of 0 lets nobody in; name at least 1 request a second")
}

fn web_service(
    config: &Config,
    system: &Arc<System>,
    aws_url: String,
    registry: Arc<prometheus_client::registry::Registry>,
) -> Result<web::Web> {
    let deps = web::api::Deps {
        access: system.access.clone(),
        directory: system.directory.clone(),
        governance: system.governance.clone(),
        provider: system.provider.clone(),
        store: system.store.clone(),
        effects: system.effects.clone(),
        proxies: TrustedProxies::new(config.web.trusted_proxies.clone()),
        about: web::api::About {
            account: config.account,
            region: config.region.clone(),
            issuer: config.issuer.clone(),
            aws: aws_url,
            version: env!("CARGO_PKG_VERSION"),
        },
        names: names(system),
        registry,
        waiting: waiting(system),
    };
    let rates = web::Rates {
        per_source: rate(config.limits.requests_per_source)?,
        per_principal: rate(config.limits.requests_per_principal)?,
    };
    Ok(web::Web::new(deps, system.provider.clone(), rates))
}

#[derive(Clone)]
struct AwsEdge(aws::Aws);

impl Answer for AwsEdge {
    type Body = aws::AnswerBody;
    fn answer(
        &self,
        request: http::Request<Incoming>,
    ) -> impl Future<Output = http::Response<Self::Body>> + Send + 'static {
        self.0.answer(request)
    }
}

#[derive(Clone)]
struct WebEdge(web::Web);

impl Answer for WebEdge {
    type Body = web::AnswerBody;
    fn answer(
        &self,
        request: http::Request<Incoming>,
    ) -> impl Future<Output = http::Response<Self::Body>> + Send + 'static {
        self.0.answer(request)
    }
}

/// SIGTERM and SIGINT, caught from the moment of this on: what comes while the system opens stops it as soon as it is open.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// # Errors
    /// When the handlers cannot be installed.
    pub(crate) fn catch() -> Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// A token that is cancelled by them; the waiting task is one of the system's and ends with the token.
    pub(crate) fn stop(mut self, system: &System) -> CancellationToken {
        let stop = CancellationToken::new();
        let cancel = stop.clone();
        system.spawn(async move {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
                () = cancel.cancelled() => {}
            }
            cancel.cancel();
        });
        stop
    }
}

/// Operational logs go to standard error, filtered by `GALEN_LOG` (default: warnings, and Galen's own information).
pub(crate) fn log_to_stderr() {
    use tracing_subscriber::{EnvFilter, fmt};
    let filter = EnvFilter::try_from_env("GALEN_LOG").unwrap_or_else(|_| EnvFilter::new("warn,galen=info"));
    // The S3 codec logs every refused request as an error, and signed requests at finer levels; the AWS edge logs for itself.
    let filter = match "s3s=off".parse() {
        Ok(codec) => filter.add_directive(codec),
        Err(_) => filter,
    };
    // A second subscriber is refused; the first stays.
    let _set = fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
}
