//! How far the content of an attachment is on its way, for whoever waits before a weak line: a bar on a terminal, a line for
//! each quarter elsewhere, and a word when it goes on where it stopped before.

use super::output::Output;

/// Contents that are no longer than this, in bytes, are through before anybody looks.
const SHORT: usize = 256 << 10;
/// Marks of a whole bar.
const MARKS: usize = 20;

/// One content on its way.
pub struct Transfer {
    out: Option<Output>,
    what: &'static str,
    total: usize,
    /// Steps that were shown: marks of a bar, or quarters.
    shown: usize,
}

impl Transfer {
    /// Begins, or goes on behind what came before. Nothing is said without somebody to say it to.
    pub fn begin(out: Option<&Output>, what: &'static str, have: usize, total: usize) -> Self {
        let transfer = Self {
            out: out.cloned(),
            what,
            total,
            shown: 0,
        };
        if let (Some(out), true) = (&transfer.out, (1..total).contains(&have)) {
            out.note(format!(
                "{what}: goes on where it stopped, {} of {} KiB are there",
                kib(have),
                kib(total)
            ));
        }
        transfer
    }

    /// So much is there now.
    pub fn at(&mut self, have: usize) {
        let Some(out) = self.out.as_ref().filter(|_| self.total > SHORT) else {
            return;
        };
        let steps = if out.has_bar() { MARKS } else { 4 };
        let now = have.min(self.total) * steps / self.total;
        if now <= self.shown {
            return;
        }
        self.shown = now;
        let percent = now * 100 / steps;
        if !out.has_bar() {
            out.note(format!(
                "{}: {percent} % of {} KiB",
                self.what,
                kib(self.total)
            ));
            return;
        }
        let (done, left) = ("#".repeat(now), ".".repeat(MARKS - now));
        let end = if now == steps { "\n" } else { "" };
        out.bar(&format!("{} [{done}{left}] {percent:3} %{end}", self.what));
    }
}

const fn kib(bytes: usize) -> usize {
    bytes.div_ceil(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(total: usize, from: usize) -> String {
        let (out, _, err) = Output::captured(false);
        let mut transfer = Transfer::begin(Some(&out), "attachment 1", from, total);
        for have in (from..=total).step_by(64 << 10).chain([total]) {
            transfer.at(have);
        }
        err.text()
    }

    #[test]
    fn a_long_one_says_each_quarter_once_and_one_that_goes_on_says_where() {
        let text = sent(1 << 20, 0);
        let said: Vec<&str> = text.lines().collect();
        assert_eq!(said.len(), 4, "{text}");
        assert_eq!(said[3], "attachment 1: 100 % of 1024 KiB");
        let text = sent(1 << 20, 600 << 10);
        assert!(text.starts_with("attachment 1: goes on where it stopped, 600 of 1024 KiB"));
        assert!(sent(10_000, 0).is_empty(), "a short one says nothing");
    }

    #[test]
    fn a_bar_stays_in_its_line_and_ends_it() {
        let (out, _, err) = Output::captured(false);
        let out = out.with_bar();
        let mut transfer = Transfer::begin(Some(&out), "attachment", 0, 1 << 20);
        transfer.at(1 << 19);
        assert_eq!(err.text(), "\rattachment [##########..........]  50 %");
        transfer.at(1 << 20);
        assert!(err.text().ends_with("[####################] 100 %\n"));
        assert!(!out.with_json(true).has_bar());
    }
}
