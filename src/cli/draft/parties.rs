//! The parties of the context as far as a notification may name them: looked at before anything is signed, so that a name
//! with a slip is refused at its cell and never halfway through a file.

use std::collections::BTreeMap;

use super::likely;
use crate::domain::ids::ActorId;
use crate::wire::trust::Trust;

/// Every actor that the directory at hand knows, and why it may not be chosen, where it may not.
#[derive(Debug, Clone, Default)]
pub struct Parties(BTreeMap<ActorId, Option<String>>);

impl Parties {
    /// Of a directory that was held against the pins.
    pub fn of(trust: &Trust) -> Self {
        let standing = |id: &ActorId| trust.chosen(id).err().map(|error| error.to_string());
        let known = trust.actors().map(|(id, _)| id);
        Self(
            known
                .chain(trust.without_device())
                .map(|id| (id.clone(), standing(id)))
                .collect(),
        )
    }

    /// Why a party cannot be chosen; none when it can.
    pub fn refusal(&self, party: &ActorId) -> Option<String> {
        match self.0.get(party) {
            Some(standing) => standing.clone(),
            None => Some(self.unknown(party)),
        }
    }

    fn unknown(&self, party: &ActorId) -> String {
        let good: Vec<&str> = self
            .0
            .iter()
            .filter(|(_, standing)| standing.is_none())
            .map(|(id, _)| id.as_str())
            .collect();
        match likely::asked(&likely::nearest(party.as_str(), good.iter().copied())) {
            Some(asked) => {
                format!("{party}: {asked} No party of this name is known in this context")
            }
            None => format!(
                "no party {party} is known in this context; the parties are: {}",
                if good.is_empty() {
                    "none yet".to_owned()
                } else {
                    good.join(", ")
                }
            ),
        }
    }
}
