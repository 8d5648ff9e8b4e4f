//! How `herald serve` ends when it is asked to, and that two never work in one directory.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use herald::cli::connect::connect;
use nix::sys::signal::{Signal, kill};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;

use crate::rig::{Rig, get};

/// SIGTERM with one socket open: half a second unready, then the rest at once.
const END_MOST: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_sigterm_the_server_says_so_closes_sockets_with_1001_stops_its_database_and_ends_with_0()
{
    let mut rig = Rig::start("info").await;
    rig.enrol_coordinator().await;
    rig.ready().await;
    let (profile, _) = rig.person("ocha");
    let server = &profile.me().server;
    let tls = connect(server, profile.tls().unwrap()).await.unwrap();
    let uri = format!("{}/v1/stream?after=0", server.replace("https:", "wss:"));
    let request = ClientRequestBuilder::new(uri.parse().unwrap()).with_sub_protocol("hn.v1");
    let (mut socket, _) = tokio_tungstenite::client_async(request, tls).await.unwrap();
    socket.next().await.unwrap().unwrap();
    assert!(!rig.database_processes().is_empty());

    let asked = Instant::now();
    kill(rig.pid(), Signal::SIGTERM).unwrap();
    let mut unready = false;
    while let Some((status, _)) = get(rig.ops(), "/readyz").await {
        unready |= status == 503;
        if unready {
            break;
        }
    }
    assert!(unready, "a balancer sees that it ends before it does");
    let code = loop {
        match tokio::time::timeout(END_MOST, socket.next()).await.unwrap() {
            Some(Ok(Message::Close(frame))) => break frame.map(|frame| u16::from(frame.code)),
            Some(Ok(_)) => {}
            other => panic!("the socket ended without a word: {other:?}"),
        }
    };
    assert_eq!(code, Some(1001));
    drop(socket);
    assert_eq!(rig.ended().code(), Some(0));
    assert!(asked.elapsed() < END_MOST, "{:?}", asked.elapsed());
    assert!(
        rig.database_processes().is_empty(),
        "the database is stopped"
    );
    assert!(
        !rig.pgdata().join("postmaster.pid").exists(),
        "and in order"
    );
    let log = std::fs::read_to_string(rig.log()).unwrap();
    assert!(!log.contains("cut short"), "{log}");

    // What it left is whole: it starts again.
    rig.serve();
    rig.herald("ocha", &["queue"]).await;
    let (status, _) = rig.terminate();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_the_same_directory_is_refused_in_words_and_harms_nothing() {
    let mut rig = Rig::start("info").await;
    rig.enrol_coordinator().await;
    let holder = rig.pid();
    let refused = rig.try_serve(0).err().unwrap();
    assert_eq!(refused.status.unwrap().code(), Some(1));
    assert!(
        refused.log.contains("is in use by another Herald"),
        "{}",
        refused.log
    );
    assert!(refused.log.contains(&holder.to_string()), "{}", refused.log);
    rig.done("ocha", &["queue"]).await;
    let (status, _) = rig.terminate();
    assert_eq!(status.code(), Some(0));
}
