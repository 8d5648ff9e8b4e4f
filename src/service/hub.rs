//! Which desks are listening, and how to wake them. A wake carries nothing: what a socket sends comes from the durable
//! mailbox, so a lost wake costs time and never an event. Revoking a device ends its sockets here.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::domain::ids::{ActorId, ContextId, DeviceId, Seq};

/// A desk: a context's actor.
pub type DeskId = (ContextId, ActorId);

/// Bounds on listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubLimits {
    /// Sockets of one device. One more takes the place of the oldest: a device that lost its network comes back at once,
    /// while its old sockets still look alive to us.
    pub per_device: usize,
    /// Sockets in all. One more is refused.
    pub all: usize,
}

impl Default for HubLimits {
    fn default() -> Self {
        Self {
            per_device: 4,
            all: 16_384,
        }
    }
}

/// All places for sockets are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} sockets are open, and no more are served; try again later, or read by GET /v1/events")]
pub struct HubFull(pub usize);

/// Who is listening. Cheap to share.
#[derive(Debug)]
pub struct Hub {
    limits: HubLimits,
    listening: Mutex<Listening>,
}

#[derive(Debug, Default)]
struct Listening {
    open: usize,
    next: u64,
    desks: HashMap<DeskId, Desk>,
}

#[derive(Debug)]
struct Desk {
    bell: watch::Sender<()>,
    /// The highest head that anyone here has read or was woken for.
    seen: Arc<AtomicU64>,
    /// The last call for help that anyone here knows of.
    call: Arc<AtomicU64>,
    /// Oldest first.
    sockets: Vec<Socket>,
}

#[derive(Debug)]
struct Socket {
    id: u64,
    device: DeviceId,
    revoked: CancellationToken,
    replaced: CancellationToken,
}

impl Hub {
    /// A hub with nobody listening.
    pub fn new(limits: HubLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            listening: Mutex::default(),
        })
    }

    /// Begins to listen. Dropping the listener ends it.
    ///
    /// # Errors
    /// [`HubFull`].
    pub fn listen(self: &Arc<Self>, desk: DeskId, device: DeviceId) -> Result<Listener, HubFull> {
        let mut desks = self.lock();
        if desks.open >= self.limits.all {
            return Err(HubFull(desks.open));
        }
        desks.open += 1;
        desks.next += 1;
        let id = desks.next;
        let entry = desks.desks.entry(desk.clone()).or_insert_with(|| Desk {
            bell: watch::Sender::new(()),
            seen: Arc::default(),
            call: Arc::default(),
            sockets: Vec::new(),
        });
        let mut of_device = entry
            .sockets
            .iter()
            .filter(|s| s.device == device && !s.replaced.is_cancelled());
        if let Some(oldest) = of_device.next()
            && of_device.count() + 1 >= self.limits.per_device
        {
            oldest.replaced.cancel();
        }
        let socket = Socket {
            id,
            device,
            revoked: CancellationToken::new(),
            replaced: CancellationToken::new(),
        };
        let listener = Listener {
            hub: Arc::downgrade(self),
            desk,
            id,
            bell: entry.bell.subscribe(),
            seen: Arc::clone(&entry.seen),
            call: Arc::clone(&entry.call),
            revoked: socket.revoked.clone(),
            replaced: socket.replaced.clone(),
        };
        entry.sockets.push(socket);
        Ok(listener)
    }

    /// Wakes the desks that have new mail: the intake calls it after its commit.
    pub fn wake<'a>(&self, ctx: &ContextId, actors: impl IntoIterator<Item = &'a ActorId>) {
        let desks = self.lock();
        for actor in actors {
            if let Some(desk) = desks.desks.get(&(ctx.clone(), actor.clone())) {
                desk.bell.send_replace(());
            }
        }
    }

    /// Notes that a desk's mailbox holds a call for help. Wakes nobody: that comes with the mail.
    pub fn saw_call(&self, desk: &DeskId, seq: Seq) {
        if let Some(desk) = self.lock().desks.get(desk) {
            desk.call.fetch_max(seq.0, Ordering::Relaxed);
        }
    }

    /// Wakes a desk if its mailbox reaches further than anyone here has seen. Says whether it did.
    pub fn wake_if_behind(&self, desk: &DeskId, head: Seq) -> bool {
        let desks = self.lock();
        let behind = desks
            .desks
            .get(desk)
            .filter(|desk| desk.seen.fetch_max(head.0, Ordering::Relaxed) < head.0);
        if let Some(desk) = behind {
            desk.bell.send_replace(());
        }
        behind.is_some()
    }

    /// Ends the sockets of a device that was revoked.
    pub fn close_device(&self, ctx: &ContextId, actor: &ActorId, device: &DeviceId) {
        let desks = self.lock();
        let desk = desks.desks.get(&(ctx.clone(), actor.clone()));
        for socket in desk.into_iter().flat_map(|desk| &desk.sockets) {
            if socket.device == *device {
                socket.revoked.cancel();
            }
        }
    }

    /// Ends the sockets of a desk to which nothing new is handed any more.
    pub fn close_desk(&self, desk: &DeskId) {
        let desks = self.lock();
        for socket in desks.desks.get(desk).into_iter().flat_map(|d| &d.sockets) {
            socket.revoked.cancel();
        }
    }

    /// The desks that listen.
    pub fn listening(&self) -> Vec<DeskId> {
        self.lock().desks.keys().cloned().collect()
    }

    /// The devices that listen, each once a socket.
    pub fn devices(&self) -> Vec<(ContextId, ActorId, DeviceId)> {
        let desks = self.lock();
        let of = |((ctx, actor), desk): (&DeskId, &Desk)| {
            desk.sockets
                .iter()
                .map(|socket| (ctx.clone(), actor.clone(), socket.device.clone()))
                .collect::<Vec<_>>()
        };
        desks.desks.iter().flat_map(of).collect()
    }

    /// How many sockets listen.
    pub fn open(&self) -> usize {
        self.lock().open
    }

    fn leave(&self, desk: &DeskId, id: u64) {
        let mut desks = self.lock();
        desks.open = desks.open.saturating_sub(1);
        if let Entry::Occupied(mut entry) = desks.desks.entry(desk.clone()) {
            entry.get_mut().sockets.retain(|socket| socket.id != id);
            if entry.get().sockets.is_empty() {
                entry.remove();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Listening> {
        // Every change under the lock is whole after each step, so a poisoned one is used on.
        self.listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket's place in the hub.
#[derive(Debug)]
pub struct Listener {
    hub: Weak<Hub>,
    desk: DeskId,
    id: u64,
    bell: watch::Receiver<()>,
    seen: Arc<AtomicU64>,
    call: Arc<AtomicU64>,
    /// Cancelled when the device is revoked.
    pub revoked: CancellationToken,
    /// Cancelled when a newer socket of the same device took this one's place.
    pub replaced: CancellationToken,
}

impl Listener {
    /// Returns when there may be more mail. Keeps a ring that came while nobody waited; may be dropped while waiting.
    pub async fn bell(&mut self) {
        if self.bell.changed().await.is_err() {
            // The hub is gone, and with it the server: another signal ends the socket.
            std::future::pending::<()>().await;
        }
    }

    /// Says how far the mailbox reached when it was read.
    pub fn saw(&self, head: Seq) {
        self.seen.fetch_max(head.0, Ordering::Relaxed);
    }

    /// Notes that the mailbox holds a call for help.
    pub fn saw_call(&self, seq: Seq) {
        self.call.fetch_max(seq.0, Ordering::Relaxed);
    }

    /// The last call for help that anyone here knows of; 0 for none.
    pub fn call(&self) -> Seq {
        Seq(self.call.load(Ordering::Relaxed))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.leave(&self.desk, self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn desk(name: &str) -> DeskId {
        (
            "yem".parse().expect("a slug"),
            name.parse().expect("a slug"),
        )
    }

    fn device(n: u8) -> DeviceId {
        DeviceId::from_random([n; 5])
    }

    fn rang(listener: &mut Listener) -> bool {
        listener.bell().now_or_never().is_some()
    }

    #[test]
    fn a_ring_that_comes_while_nobody_waits_is_kept() {
        let hub = Hub::new(HubLimits::default());
        let (east, west) = (desk("east"), desk("west"));
        let mut one = hub.listen(east.clone(), device(1)).expect("room");
        let mut two = hub.listen(east.clone(), device(2)).expect("room");
        let mut other = hub.listen(west, device(3)).expect("room");
        assert!(!rang(&mut one));
        hub.wake(&east.0, [&east.1]);
        assert!(rang(&mut one) && rang(&mut two), "every socket of the desk");
        assert!(!rang(&mut one), "once");
        assert!(!rang(&mut other), "and no other desk's");
    }

    #[test]
    fn a_desk_is_woken_only_for_mail_that_nobody_here_has_seen() {
        let hub = Hub::new(HubLimits::default());
        let east = desk("east");
        let mut one = hub.listen(east.clone(), device(1)).expect("room");
        assert!(hub.wake_if_behind(&east, Seq(3)) && rang(&mut one));
        assert!(!hub.wake_if_behind(&east, Seq(3)) && !rang(&mut one));
        one.saw(Seq(5));
        assert!(!hub.wake_if_behind(&east, Seq(5)));
        assert!(hub.wake_if_behind(&east, Seq(6)));
        assert!(!hub.wake_if_behind(&desk("west"), Seq(6)), "nobody listens");
    }

    #[test]
    fn a_revoked_device_loses_every_socket_and_no_other_device_does() {
        let hub = Hub::new(HubLimits::default());
        let east = desk("east");
        let listeners = [1, 1, 2].map(|n| hub.listen(east.clone(), device(n)).expect("room"));
        hub.close_device(&east.0, &east.1, &device(1));
        let ended = listeners.each_ref().map(|l| l.revoked.is_cancelled());
        assert_eq!(ended, [true, true, false]);
    }

    #[test]
    fn a_device_that_comes_back_takes_its_oldest_sockets_place() {
        let hub = Hub::new(HubLimits {
            per_device: 2,
            all: 10,
        });
        let open = |n| hub.listen(desk("east"), device(n)).expect("room");
        let (first, other, second) = (open(1), open(2), open(1));
        assert!(!first.replaced.is_cancelled());
        let third = open(1);
        let replaced = [&first, &other, &second, &third].map(|l| l.replaced.is_cancelled());
        assert_eq!(replaced, [true, false, false, false]);
    }

    #[test]
    fn places_are_bounded_and_come_back_and_nothing_is_left_behind() {
        let hub = Hub::new(HubLimits {
            per_device: 4,
            all: 2,
        });
        let open = |name| hub.listen(desk(name), device(1));
        let (one, two) = (open("east"), open("west"));
        assert!(one.is_ok() && two.is_ok());
        assert_eq!(open("north").err(), Some(HubFull(2)));
        drop(one);
        assert!(open("north").is_ok());
        drop(two);
        assert_eq!((hub.open(), hub.listening().len()), (0, 0));
    }
}
