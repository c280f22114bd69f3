//! The three macros that give the wire's types their habits (see the crate's documentation). Nothing here is public.

/// A struct of the wire: every field optional and left out when absent, names in camel case, the unknown kept in `extra`.
macro_rules! wire {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$field_meta:meta])* $field:ident: $ty:ty, )*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $(
                $(#[$field_meta])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$ty>,
            )*
            /// What else the wire carried, as it came.
            #[serde(flatten)]
            pub extra: $crate::Extra,
        }
    )*};
}

/// An open enumeration: known words in whatever case they come, unknown ones kept as they are.
macro_rules! word {
    ($(
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[$word_meta:meta])* $word:ident = $text:literal, )*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $( $(#[$word_meta])* #[doc = concat!("`", $text, "` on the wire.")] $word, )*
            /// A word this version does not know, as it came.
            Other(String),
        }

        impl $name {
            /// The word as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$word => $text, )*
                    Self::Other(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                $( if text.eq_ignore_ascii_case($text) { return Self::$word; } )*
                Self::Other(text.to_owned())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                Ok(Self::from(text.as_str()))
            }
        }
    )*};
}

/// A family of shapes told apart by a field. The field itself is the variant: it is not repeated in the struct inside.
/// A member of the family that is not known, or has no such field, is kept as the JSON it was.
macro_rules! tagged {
    ($(
        $(#[$meta:meta])*
        pub enum $name:ident by $key:literal {
            $( $(#[$variant_meta:meta])* $variant:ident($ty:ty) = $tag:literal, )*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $( $(#[$variant_meta])* #[doc = concat!("`", $key, "` is `", $tag, "`.")] $variant(Box<$ty>), )*
            /// A kind this version does not know, as it came.
            Other($crate::Extra),
        }

        impl $name {
            /// The field that tells the kinds apart.
            pub const KEY: &'static str = $key;

            /// What that field says; empty when it is missing.
            #[must_use]
            pub fn tag(&self) -> &str {
                match self {
                    $( Self::$variant(_) => $tag, )*
                    Self::Other(map) => map.get($key).and_then(serde_json::Value::as_str).unwrap_or_default(),
                }
            }
        }

        $(
            impl From<$ty> for $name {
                fn from(value: $ty) -> Self {
                    Self::$variant(Box::new(value))
                }
            }
        )*

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                #[derive(serde::Serialize)]
                struct Tagged<'a, T> {
                    #[serde(rename = $key)]
                    tag: &'a str,
                    #[serde(flatten)]
                    value: &'a T,
                }
                match self {
                    $(
                        Self::$variant(value) => {
                            serde::Serialize::serialize(&Tagged { tag: $tag, value: value.as_ref() }, serializer)
                        }
                    )*
                    Self::Other(map) => serde::Serialize::serialize(map, serializer),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let mut map = <$crate::Extra as serde::Deserialize>::deserialize(deserializer)?;
                let tag = map.get($key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
                $(
                    if tag.eq_ignore_ascii_case($tag) {
                        map.shift_remove($key);
                        return serde_json::from_value(serde_json::Value::Object(map))
                            .map(|value: $ty| Self::$variant(Box::new(value)))
                            .map_err(serde::de::Error::custom);
                    }
                )*
                Ok(Self::Other(map))
            }
        }
    )*};
}
