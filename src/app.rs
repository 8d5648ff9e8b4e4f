//! Puts a server together and takes it down again: database, keys, intake, jobs, sockets, listeners; in this order up,
//! and in the other down.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::response::Response;
use futures_util::FutureExt;
use tokio::net::TcpListener;

use crate::config::ServerConfig;
use crate::domain::actor::{ActorKind, Mode};
use crate::domain::clock::{Clock, from_micros};
use crate::domain::ids::ContextId;
use crate::http::auth::Gate;
use crate::http::ops::{self, Readiness};
use crate::http::state::AppState;
use crate::http::v1::events::{EventsState, OpenStream};
use crate::http::{Acceptor, Platform, openapi};
use crate::jobs::clockwork::{self, ClockworkTimes};
use crate::jobs::nudge::config::{Carriers, NudgeConfigError};
use crate::jobs::{clearing, deliver, nudge, retaining};
use crate::service::check::Checks;
use crate::service::core::Core;
use crate::service::deployment::{self, About, AboutContext, DeploymentError, Loaded};
use crate::service::hub::{Hub, HubLimits};
use crate::service::intake::{Committed, Intake, Wake};
use crate::service::mailbox::Mailboxes;
use crate::service::nudge::Ways;
use crate::service::records::Record;
use crate::service::retention::{self, Retention};
use crate::service::schedule::Schedule;
use crate::shutdown::{Shutdown, ShutdownReport};
use crate::store::cluster::{Cluster, ClusterConfig, ClusterError, Health};
use crate::store::endpoint::Endpoint;
use crate::store::error::StoreError;
use crate::store::pool::Pools;
use crate::store::{actors, due, invites, listen, migrate};
use crate::tls::{self, Credentials, TlsError};
use crate::wire::policy::Policy;
use crate::ws::frame::SocketLimits;
use crate::ws::upgrade::Streams;

/// The shortest time between two rings of the database's bell.
const RING_SETTLE: std::time::Duration = std::time::Duration::from_millis(5);

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The deployment's files.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// The private cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The database.
    #[error("the database cannot be used: {0}")]
    Store(#[from] StoreError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address.
    #[error(
        "cannot listen on {address}: {source}; another program may be using it, choose another with {flag}"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The flag that sets it.
        flag: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// What the operator says of nudges.
    #[error(transparent)]
    Nudge(#[from] NudgeConfigError),
    /// Health and metrics are for this machine only.
    #[error("the address for health and metrics must be on loopback, for example 127.0.0.1:9464")]
    NotLoopback,
    /// The metrics recorder.
    #[error("the metrics cannot be recorded")]
    Metrics,
    /// Time was moved, which only a drill may.
    #[error(
        "the database's clock is set {ahead_s} s off, and the context {ctx} is live; only where every context is an exercise may it be. Set it right: UPDATE hn.head SET ahead = interval '0'"
    )]
    TimeMoved {
        /// By how much, in seconds.
        ahead_s: f64,
        /// A context that is live.
        ctx: ContextId,
    },
    /// The database holds a context that the files do not know.
    #[error(
        "the database holds the context {ctx}, which the deployment's files do not know: restore deployment.json and keys/ from a backup, or start it on its own database"
    )]
    UnknownContext {
        /// Which.
        ctx: ContextId,
    },
    /// The database holds a context in the other mode.
    #[error(
        "the database holds the context {ctx} in another mode than {mode}, as which the deployment's files know it; a context is never turned from an exercise into live, nor back: restore deployment.json from a backup, or start it on its own database"
    )]
    OtherMode {
        /// Which.
        ctx: ContextId,
        /// What the files say.
        mode: Mode,
    },
    /// The present month's key could not be made, or not be written down.
    #[error("the keys of the months could not be seen to: {0}")]
    Months(crate::wire::problem::Problem),
    /// The keyring could not seal.
    #[error("the keyring cannot be used: {0}")]
    Keyring(#[from] crate::crypto::keyring::KeyringError),
}

/// A server that runs.
pub struct Server {
    /// Where the API listens.
    pub address: SocketAddr,
    /// Where health and metrics listen.
    pub ops: SocketAddr,
    /// How it ends.
    pub shutdown: Shutdown,
    /// What it is.
    pub about: About,
    /// By which ways it nudges people.
    pub nudges: Ways,
    /// What its use cases stand on.
    pub core: Core,
    limits: crate::shutdown::ShutdownLimits,
    readiness: Readiness,
    cluster: Option<Cluster>,
}

impl Server {
    /// Starts a server; it is ready when this returns.
    ///
    /// # Errors
    /// [`StartError`], naming what to do. Nothing is left running.
    pub async fn start(config: ServerConfig) -> Result<Self, StartError> {
        let now = Clock::System.now();
        let loaded = deployment::load(&config.dir, now)?;
        let carriers = Carriers::load(&config.dir)?;
        let (cluster, endpoint) = database(&config).await?;
        match Self::start_on(
            config,
            loaded,
            carriers,
            endpoint,
            cluster.as_ref().map(Cluster::health),
        )
        .await
        {
            Ok(mut server) => {
                server.cluster = cluster;
                Ok(server)
            }
            Err(error) => {
                if let Some(cluster) = cluster {
                    drop(cluster.stop().await);
                }
                Err(error)
            }
        }
    }

    async fn start_on(
        config: ServerConfig,
        loaded: Loaded,
        carriers: Carriers,
        endpoint: Endpoint,
        health: Option<tokio::sync::watch::Receiver<Health>>,
    ) -> Result<Self, StartError> {
        migrate::run(&endpoint).await?;
        let pools = Pools::open(&endpoint, &config.pools).await?;
        let Loaded {
            deployment,
            about,
            keyring,
            tls,
            tls_key,
        } = loaded;
        let server_tls = tls::server_config(
            Credentials::from_der(
                &[tls.der(), deployment.authority.certificate().der()],
                &tls_key.to_pkcs8_der(),
            ),
            &tls::certificate(deployment.authority.certificate().der()),
        )?;
        let core = Core {
            deployment: Arc::new(deployment),
            keyring: Arc::new(keyring),
            pools,
        };
        retention::turn(&core).await.map_err(StartError::Months)?;
        seed(&core, &about).await?;

        let shutdown = Shutdown::new();
        let readiness = Readiness::new(&["database", "listener"]);
        let hub = Hub::new(HubLimits::default());
        let platform = Platform::new(config.limits.clone());
        let intake = run_jobs(&core, &hub, &shutdown);
        let nudges = carriers.ways();
        nudge::spawn(&core, carriers, &shutdown.jobs, &shutdown.stop_jobs);
        watch_database(health, readiness.clone(), shutdown.clone());

        let state = AppState {
            core: core.clone(),
            intake,
            checks: Checks::new(core.clone()),
            events: events(&core, &hub, &shutdown),
            nudges,
        };
        let gate = Gate {
            core: core.clone(),
            platform: Arc::clone(&platform),
        };
        let router = platform.wrap(openapi::router(state, gate));
        let (listener, address) = bind(config.listen, "--listen").await?;
        let ops = run_ops(&config, readiness.clone(), &shutdown).await?;
        let acceptor = Acceptor {
            tls: Some(Arc::new(server_tls)),
            router,
            limits: config.limits.connection.clone(),
            drain: shutdown.drain.clone(),
            abort: shutdown.close_sockets.clone(),
            tracker: shutdown.requests.clone(),
        };
        tokio::spawn(acceptor.run(listener));
        readiness.ready("listener");
        tracing::info!(%address, "listening");
        Ok(Self {
            address,
            ops,
            shutdown,
            about,
            nudges,
            core,
            limits: config.shutdown,
            readiness,
            cluster: None,
        })
    }

    /// Waits until it is told to end, and ends in order: unready, drain, close sockets, stop jobs, stop the database.
    pub async fn run(self) -> ShutdownReport {
        let Self {
            shutdown,
            limits,
            readiness,
            cluster,
            core,
            ..
        } = self;
        let stop_database = async {
            core.pools.close().await;
            if let Some(cluster) = cluster
                && let Err(error) = cluster.stop().await
            {
                tracing::error!(%error, "the database did not stop as it should");
            }
        };
        shutdown
            .run(
                &limits,
                || readiness.unready("listener", "ending"),
                stop_database,
            )
            .await
    }

    /// Tells it to end, and waits.
    pub async fn stop(self) -> ShutdownReport {
        self.shutdown.trigger();
        self.run().await
    }
}

/// The database of a configuration, and the private cluster that it is in, started, unless one is given by URL.
///
/// # Errors
/// [`StartError`].
pub async fn database(config: &ServerConfig) -> Result<(Option<Cluster>, Endpoint), StartError> {
    if let Some(url) = &config.database_url {
        return Ok((None, Endpoint::external(url)?));
    }
    let mut cluster = ClusterConfig::new(&config.data_dir);
    cluster.durability = config.durability;
    let cluster = Cluster::start(cluster).await?;
    let endpoint = cluster.endpoint();
    Ok((Some(cluster), endpoint))
}

/// As [`database`], to read beside a server that runs: its private cluster is used where it is up.
///
/// # Errors
/// [`StartError`].
pub async fn database_beside(
    config: &ServerConfig,
) -> Result<(Option<Cluster>, Endpoint), StartError> {
    match database(config).await {
        Err(StartError::Cluster(error @ ClusterError::InUse { .. })) => {
            let running = Cluster::running(&config.data_dir);
            let endpoint = running.ok_or(StartError::Cluster(error))?;
            Ok((None, endpoint))
        }
        opened => opened,
    }
}

/// Puts the contexts and their coordinators' first invites into the database, where they are not there yet. A database that
/// knows a context that the deployment's files do not is not served, nor is a live context under a clock that was moved.
async fn seed(core: &Core, about: &About) -> Result<(), StartError> {
    let mut tx = core.pools.intake.begin().await.map_err(StoreError::from)?;
    for context in &about.contexts {
        seed_context(core, &mut tx, context).await?;
    }
    for ctx in actors::contexts(&mut tx).await? {
        if !core.deployment.contexts.contains_key(&ctx) {
            return Err(StartError::UnknownContext { ctx });
        }
    }
    let ahead_s = due::ahead_s(&mut tx).await?;
    let live = about.contexts.iter().find(|c| c.mode == Mode::Live);
    if let (Some(live), true) = (live, ahead_s.abs() > 0.0) {
        let ctx = live.ctx.clone();
        return Err(StartError::TimeMoved { ahead_s, ctx });
    }
    tx.commit().await.map_err(StoreError::from)?;
    Ok(())
}

async fn seed_context(
    core: &Core,
    tx: &mut crate::store::Connection,
    about: &AboutContext,
) -> Result<(), StartError> {
    let policy = Policy {
        country: about.country.clone(),
        ..Policy::default()
    };
    let made = actors::ensure_context(tx, &about.ctx, about.mode, &policy).await;
    made.map_err(|error| match error {
        StoreError::Conflict => StartError::OtherMode {
            ctx: about.ctx.clone(),
            mode: about.mode,
        },
        error => StartError::Store(error),
    })?;
    let first = &about.first;
    let kind = ActorKind::Coordinator;
    actors::ensure(tx, &about.ctx, &first.actor, kind, &first.name).await?;
    if !invites::exists(tx, &first.code).await? {
        let month = core.keyring.present()?;
        let at = Record::invite_person(&first.actor, &first.code);
        let person = core
            .keyring
            .seal_record(&at.at(), month, first.person.as_bytes())?;
        let role = crate::domain::actor::Role::Coordinator;
        let until = from_micros(first.until_us);
        invites::insert(
            tx,
            &first.code,
            &about.ctx,
            &first.actor,
            role,
            &person,
            month,
            until,
        )
        .await?;
    }
    Ok(())
}

/// Starts intake, delivery and what time does; gives the way in.
fn run_jobs(core: &Core, hub: &Arc<Hub>, shutdown: &Shutdown) -> Intake {
    let wake = wake(core, hub, shutdown);
    let (intake, worker) = Intake::new(core.clone(), Arc::clone(&wake));
    shutdown.jobs.spawn(worker.run(shutdown.stop_jobs.clone()));
    shutdown.jobs.spawn(retaining::run(
        Retention::new(core.clone(), Arc::clone(&wake)),
        shutdown.stop_jobs.clone(),
    ));
    shutdown.jobs.spawn(clockwork::run(
        Schedule::new(core.clone(), wake),
        ClockworkTimes::default(),
        shutdown.stop_jobs.clone(),
    ));
    shutdown
        .jobs
        .spawn(clearing::run(core.clone(), shutdown.stop_jobs.clone()));
    let times = deliver::DeliverTimes::default();
    shutdown.jobs.spawn(deliver::run(
        core.pools.clone(),
        Arc::clone(hub),
        times,
        shutdown.stop_jobs.clone(),
    ));
    intake
}

/// After a commit: wake this node's sockets at once, close those of revoked devices, and ring for other nodes, at most
/// every few milliseconds.
fn wake(core: &Core, hub: &Arc<Hub>, shutdown: &Shutdown) -> Wake {
    let bell = Arc::new(tokio::sync::Notify::new());
    let (ring, pool, stop) = (
        Arc::clone(&bell),
        core.pools.worker.clone(),
        shutdown.stop_jobs.clone(),
    );
    shutdown.jobs.spawn(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = ring.notified() => {}
            }
            tokio::time::sleep(RING_SETTLE).await;
            if let Err(error) = listen::ring(&pool).await {
                tracing::debug!(%error, "the bell did not ring; other nodes look by themselves");
            }
        }
    });
    let hub = Arc::clone(hub);
    Arc::new(move |committed: &Committed| {
        let ctx = &committed.ctx;
        for (actor, seq) in &committed.calls {
            hub.saw_call(&(ctx.clone(), actor.clone()), *seq);
        }
        hub.wake(ctx, committed.woken.iter());
        for (actor, device) in &committed.revoked {
            hub.close_device(ctx, actor, device);
        }
        for actor in &committed.held_back {
            hub.close_desk(&(ctx.clone(), actor.clone()));
        }
        let ended = !committed.revoked.is_empty() || !committed.held_back.is_empty();
        if ended || !committed.woken.is_empty() {
            bell.notify_one();
        }
    })
}

fn events(core: &Core, hub: &Arc<Hub>, shutdown: &Shutdown) -> EventsState {
    let mailboxes = Mailboxes::new(core.pools.clone(), Arc::clone(&core.keyring));
    let streams = Streams {
        mailboxes: mailboxes.clone(),
        hub: Arc::clone(hub),
        limits: SocketLimits::default(),
        stopping: shutdown.close_sockets.clone(),
        sockets: shutdown.sockets.clone(),
    };
    let open_stream: OpenStream = Arc::new(move |handshake, reader, after| {
        let streams = streams.clone();
        async move { streams.open(handshake, reader, after).await as Result<Response, _> }.boxed()
    });
    EventsState {
        mailboxes,
        open_stream,
    }
}

/// The database's health is the server's readiness; a private database that does not come back ends the server.
fn watch_database(
    health: Option<tokio::sync::watch::Receiver<Health>>,
    readiness: Readiness,
    shutdown: Shutdown,
) {
    readiness.ready("database");
    let Some(mut health) = health else { return };
    let (stop, jobs) = (shutdown.stop_jobs.clone(), shutdown.jobs.clone());
    jobs.spawn(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = health.changed() => if changed.is_err() { return },
            }
            let now = *health.borrow_and_update();
            match now {
                Health::Running { .. } => readiness.ready("database"),
                Health::Restarting => readiness.unready("database", "restarting"),
                Health::Stopped => readiness.unready("database", "stopped"),
                Health::Failed => {
                    tracing::error!("the private database does not come back; this server ends");
                    readiness.unready("database", "failed");
                    shutdown.trigger();
                    return;
                }
            }
        }
    });
}

async fn bind(
    address: SocketAddr,
    flag: &'static str,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let refuse = |source| StartError::Listen {
        address,
        flag,
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(refuse)?;
    let address = listener.local_addr().map_err(refuse)?;
    Ok((listener, address))
}

async fn run_ops(
    config: &ServerConfig,
    readiness: Readiness,
    shutdown: &Shutdown,
) -> Result<SocketAddr, StartError> {
    let address = ops::require_loopback(config.ops).map_err(|_| StartError::NotLoopback)?;
    let handle = ops::recorder().map_err(|_| StartError::Metrics)?;
    let (listener, address) = bind(address, "--ops").await?;
    let acceptor = Acceptor {
        tls: None,
        router: ops::router(readiness, handle),
        limits: config.limits.connection.clone(),
        drain: shutdown.stop_jobs.clone(),
        abort: shutdown.stop_jobs.clone(),
        tracker: shutdown.jobs.clone(),
    };
    tokio::spawn(acceptor.run(listener));
    Ok(address)
}

/// The OpenAPI 3.1 document of the API, as it stands in `openapi/herald.json`.
pub fn openapi_json() -> String {
    openapi::openapi_json()
}
