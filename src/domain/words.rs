//! One macro for the closed vocabularies of the field, so that each word is written once: as a variant, its label on
//! the wire, and its documentation.

/// Defines an enum whose variants have one label each; gives `as_str`, `ALL`, `Display` and `FromStr`.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $label:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// Every word of this vocabulary, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The label on the wire and in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::ids::UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($label => Ok(Self::$variant),)+
                    _ => Err($crate::domain::ids::UnknownWord {
                        what: stringify!($name),
                        expected: &[$($label,)+],
                    }),
                }
            }
        }
    };
}

pub(crate) use words;
