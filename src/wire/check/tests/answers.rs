//! The answer as it is signed: whole, counted, in order, and saying what it does not mean.

use super::*;

fn answered(answer: AnswerPart) -> Result<AnswerPart, PagesError> {
    let (envelope, claims) = signed(answer);
    read_answer(&claims, &envelope)
}

fn signed(
    answer: AnswerPart,
) -> (
    crate::wire::envelope::Envelope,
    crate::wire::claims::AnswerClaims,
) {
    use crate::wire::claims::{AnswerClaims, Claims, Common};
    let common = Common {
        iss: "server/7k2m9qxa".parse().expect("an issuer"),
        aud: "herald:test".to_owned(),
        ctx: "yem".parse().expect("a slug"),
        mode: crate::domain::actor::Mode::Exercise,
        jti: uuid::Uuid::new_v4(),
        iat: 0,
    };
    let (_, parts) = answer_parts(answer).expect("parts");
    let key = crate::crypto::keys::SigningKey::generate();
    let claims = AnswerClaims::new(common, Digest::of(b"a check"));
    let built = crate::wire::build::build(claims, &parts, &key).expect("a statement");
    let (_, claims) = crate::wire::read::read(&built.envelope.statement).expect("ours");
    let Claims::Answer(claims) = claims else {
        unreachable!("an answer")
    };
    (built.envelope, *claims)
}

#[test]
fn more_objects_than_a_page_holds_are_all_counted_and_listed() {
    let asked = on_3_may(&circle(10.0, 10.0, 50_000.0), 0.0);
    let all = (0..1_200)
        .map(|n| site(10.0 + f64::from(n) * 1e-5, 10.0, &json!({})))
        .collect();
    let answer = judged(&asked, all).into_answer(DEPART, Seq(9), None);
    let read = answered(answer.clone()).expect("whole");
    assert!(read.pages > 1);
    assert_eq!(
        (read.hits_total, read.hits.len(), read.considered.len()),
        (1_200, 1_200, 1_200)
    );
    assert_eq!(
        (read.hits, read.considered),
        (answer.hits, answer.considered)
    );
}

#[test]
fn an_answer_that_lost_a_page_is_no_answer() {
    let asked = on_3_may(&circle(10.0, 10.0, 50_000.0), 0.0);
    let all = (0..1_200)
        .map(|n| site(10.0 + f64::from(n) * 1e-5, 10.0, &json!({})))
        .collect();
    let (mut envelope, claims) = signed(judged(&asked, all).into_answer(DEPART, Seq(9), None));
    let lost = envelope.attachments.pop().expect("a last page");
    assert_eq!(
        read_answer(&claims, &envelope),
        Err(PagesError::Page(lost.part.clone()))
    );
    let (other, _) =
        signed(Findings::doubt(ProblemKind::Timeout).into_answer(DEPART, Seq(9), None));
    let foreign = read_answer(&claims, &other);
    assert_eq!(
        foreign,
        Err(PagesError::Page("answer".to_owned())),
        "signed elsewhere"
    );
}

#[test]
fn an_answer_that_miscounts_is_refused() {
    let asked = on_3_may(&circle(10.0, 10.0, 5.0), 0.0);
    let mut answer =
        judged(&asked, vec![site(10.0, 10.0, &json!({}))]).into_answer(DEPART, Seq(9), None);
    answer.hits_total = 2;
    assert_eq!(
        answered(answer),
        Err(PagesError::Count {
            counted: 2,
            listed: 1
        })
    );
}

#[test]
fn hits_stand_nearest_first_and_every_answer_says_what_absence_means() {
    let asked = on_3_may(&circle(10.0, 10.0, 1_000.0), 5_000.0);
    let found = judged(
        &asked,
        vec![
            site(10.05, 10.0, &json!({})),
            site(10.0, 10.0, &json!({})),
            site(10.03, 10.0, &json!({})),
        ],
    );
    assert!(found.hits.is_sorted_by(|a, b| a.distance_m <= b.distance_m));
    assert_eq!(found.hits.len(), 3);
    let none = judged(&asked, Vec::new()).into_answer(DEPART, Seq(0), Some("+1".to_owned()));
    assert!(none.absence.contains("not absence of civilians"));
    assert_eq!(
        (none.verdict, none.call),
        (Verdict::NoneNotifiedToYou, Some("+1".to_owned()))
    );
}
