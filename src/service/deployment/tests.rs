use std::fs;

use serde_json::json;

use super::*;
use crate::domain::clock::Clock;

const SECRET: &str = "correct horse battery staple";

fn context(ctx: &str, mode: Mode) -> NewContext {
    NewContext {
        ctx: ctx.parse().expect("a slug"),
        mode,
        name: format!("The desk of {ctx}"),
        country: Some("YEM".to_owned()),
        coordinator: "ocha".parse().expect("a slug"),
        coordinator_name: "OCHA".to_owned(),
        person: "A. Coordinator".to_owned(),
    }
}

fn made(dir: &Path) -> InviteCode {
    let new = NewDeployment {
        name: "A deployment".to_owned(),
        hosts: vec!["localhost".to_owned()],
        listen: SocketAddr::from(([0, 0, 0, 0], 8443)),
        context: context("yem", Mode::Live),
    };
    create(dir, &new, SECRET, Clock::System.now()).expect("made")
}

fn add(dir: &Path, ctx: &str, mode: Mode) -> Result<InviteCode, DeploymentError> {
    add_to(dir, &dir.join(ROOT), ctx, mode, SECRET)
}

fn add_to(
    dir: &Path,
    root: &Path,
    ctx: &str,
    mode: Mode,
    secret: &str,
) -> Result<InviteCode, DeploymentError> {
    add_context(dir, root, &context(ctx, mode), secret, Clock::System.now())
}

fn loaded(dir: &Path) -> Loaded {
    load(dir, Clock::System.now()).unwrap_or_else(|error| panic!("{error}"))
}

/// Lays a deployment out as versions with one context did.
fn as_with_one_context(dir: &Path) {
    let own = dir.join(CONTEXTS_DIR).join("yem");
    for name in [HPKE, KEYS] {
        fs::rename(own.join(name), dir.join(KEYS_DIR).join(name)).expect("moved");
    }
    fs::remove_dir_all(dir.join(CONTEXTS_DIR)).expect("removed");
    let file = dir.join(about::ABOUT);
    let mut value: serde_json::Value =
        serde_json::from_slice(&fs::read(&file).expect("read")).expect("JSON");
    let one = value["contexts"][0].take();
    let members = value.as_object_mut().expect("an object");
    members.remove("contexts");
    members.insert("format".to_owned(), json!(1));
    for member in ["ctx", "mode", "country", "first"] {
        members.insert(member.to_owned(), one[member].clone());
    }
    secret_file::replace(&file, value.to_string().as_bytes()).expect("written");
}

#[test]
fn contexts_stand_under_one_root_with_keys_of_their_own() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = &dir.path().join("deployment");
    let first = made(dir);
    let second = add(dir, "drill", Mode::Exercise).expect("added");
    assert_eq!(second.deployment_root, first.deployment_root);
    assert_eq!((first.ctx.as_str(), second.ctx.as_str()), ("yem", "drill"));
    assert_ne!(first.secret, second.secret);
    let loaded = loaded(dir);
    let contexts = &loaded.deployment.contexts;
    let modes: Vec<_> = contexts.values().map(|c| (c.id.as_str(), c.mode)).collect();
    assert_eq!(modes, [("drill", Mode::Exercise), ("yem", Mode::Live)]);
    let kids: Vec<_> = contexts.values().map(|c| c.hpke.kid()).collect();
    assert_ne!(kids[0], kids[1]);
    let server = ActorId::new(SERVER).expect("a slug");
    for context in contexts.values() {
        let keys = trust::self_signed(&context.keys, &server).expect("signed");
        assert_eq!((&keys.ctx, keys.mode), (&context.id, context.mode));
        assert_eq!(keys.root.kid(), loaded.about.root);
        assert_eq!(keys.desk, *context.hpke.public_key());
    }
}

#[test]
fn a_deployment_of_the_form_with_one_context_opens_and_takes_another() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = &dir.path().join("deployment");
    made(dir);
    let before = loaded(dir);
    as_with_one_context(dir);
    let yem: ContextId = "yem".parse().expect("a slug");
    let keys = |loaded: &Loaded| loaded.deployment.contexts[&yem].keys.clone();
    let opened = loaded(dir);
    assert_eq!(keys(&opened), keys(&before));
    assert_eq!(
        opened.about.contexts[0].first.code,
        before.about.contexts[0].first.code
    );
    // Reading changes nothing; adding writes the present form, and leaves the first one's files where they are.
    assert!(
        fs::read_to_string(dir.join(about::ABOUT))
            .expect("read")
            .contains("\"format\":1")
    );
    add(dir, "sdn", Mode::Live).expect("added");
    let opened = loaded(dir);
    assert_eq!(opened.deployment.contexts.len(), 2);
    assert_eq!(keys(&opened), keys(&before));
    assert!(dir.join(KEYS_DIR).join(KEYS).exists());
}

#[test]
fn a_context_that_is_refused_leaves_the_deployment_as_it_was() {
    let dir = tempfile::tempdir().expect("a directory");
    let (here, there) = (dir.path().join("here"), dir.path().join("there"));
    made(&here);
    made(&there);
    let before = fs::read(here.join(about::ABOUT)).expect("read");
    let refused = |result: Result<InviteCode, DeploymentError>| {
        let error = result.expect_err("refused").to_string();
        assert_eq!(
            fs::read(here.join(about::ABOUT)).expect("read"),
            before,
            "{error}"
        );
        error
    };
    let root = here.join(ROOT);
    let exists = refused(add(&here, "yem", Mode::Exercise));
    assert!(exists.contains("has a context yem already"), "{exists}");
    let wrong = add_to(&here, &root, "sdn", Mode::Live, "another pass phrase");
    refused(wrong);
    let other = refused(add_to(&here, &there.join(ROOT), "sdn", Mode::Live, SECRET));
    assert!(
        other.contains("is not the root of this deployment"),
        "{other}"
    );
    refused(add_to(
        &here,
        &dir.path().join("nothing"),
        "sdn",
        Mode::Live,
        SECRET,
    ));
    let lock = File::open(&here).expect("opened");
    lock.try_lock().expect("free");
    let busy = refused(add(&here, "sdn", Mode::Live));
    assert!(busy.contains("another command"), "{busy}");
    drop(lock);
    assert!(matches!(
        add(&dir.path().join("nowhere"), "sdn", Mode::Live),
        Err(DeploymentError::Missing(_))
    ));
    // Keys that were written before an interruption are written over by the next try.
    fs::create_dir_all(here.join(CONTEXTS_DIR).join("sdn")).expect("made");
    secret_file::replace(&here.join(CONTEXTS_DIR).join("sdn").join(KEYS), b"half")
        .expect("written");
    secret_file::create_dir(&here.join(CONTEXTS_DIR).join("sdn")).expect("there");
    add(&here, "sdn", Mode::Live).expect("added");
    assert_eq!(loaded(&here).deployment.contexts.len(), 2);
}

#[test]
fn a_file_of_a_newer_form_a_context_twice_or_none_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = &dir.path().join("deployment");
    made(dir);
    let file = dir.join(about::ABOUT);
    let whole: serde_json::Value =
        serde_json::from_slice(&fs::read(&file).expect("read")).expect("JSON");
    let refused = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = whole.clone();
        change(&mut value);
        secret_file::replace(&file, value.to_string().as_bytes()).expect("written");
        about(dir)
            .err()
            .map(|error| error.to_string())
            .expect("refused")
    };
    assert!(refused(&|v| v["format"] = json!(3)).contains("newer version"));
    assert!(refused(&|v| v["contexts"] = json!([])).contains("names no context"));
    let twice = refused(&|v| {
        let one = v["contexts"][0].clone();
        v["contexts"] = json!([one.clone(), one]);
    });
    assert!(twice.contains("twice"), "{twice}");
    assert!(refused(&|v| v["extra"] = json!(1)).contains("extra"));
}
