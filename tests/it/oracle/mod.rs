//! The oracle: random sequences of everything that can be said, by right and wrong devices, with restarts, broken lines and
//! clock jumps, held against a small model that is written here from the protocol's text and shares no rule with the
//! server. For every event it says who must get it, who must not, with which parts, and in which order. And the other way
//! round: what does not concern a desk must change nothing of what that desk can see.

mod apart;
mod cast;
mod compare;
mod draw;
mod hear;
mod judge;
mod model;
mod plan;
mod planted;
mod play;
mod property;
mod side;
mod sight;
mod speak;
mod stage;
mod steps;
mod table;
mod time;
