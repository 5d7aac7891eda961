//! Types that NumPy itself does not know, as the `ml_dtypes` package registers them.

macro_rules! extended {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $size:literal;)*) => {
        /// A type of the `ml_dtypes` package, by its name there.
        ///
        /// Its bytes are kept, never interpreted. In `.npy` it is stored as void of its size,
        /// so that NumPy reads the file, with its name in a comment of the header.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Extended { $($(#[$doc])* $name,)* }

        impl Extended {
            /// Every extended type.
            pub const ALL: &'static [Extended] = &[$(Extended::$name,)*];

            /// The name that `ml_dtypes` gives it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Extended::$name => $text,)* }
            }

            /// Bytes of one item.
            pub const fn itemsize(self) -> usize {
                match self { $(Extended::$name => $size,)* }
            }

            /// The type of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Extended::$name),)* _ => None }
            }
        }
    };
}

extended! {
    /// Complex of two `bfloat16`.
    Bcomplex32 = "bcomplex32", 4;
    /// Brain floating point.
    Bfloat16 = "bfloat16", 2;
    /// Complex of two `float16`.
    Complex32 = "complex32", 4;
    /// 4-bit float.
    Float4E2m1fn = "float4_e2m1fn", 1;
    /// 6-bit float.
    Float6E2m3fn = "float6_e2m3fn", 1;
    /// 6-bit float.
    Float6E3m2fn = "float6_e3m2fn", 1;
    /// 8-bit float.
    Float8E3m4 = "float8_e3m4", 1;
    /// 8-bit float.
    Float8E4m3 = "float8_e4m3", 1;
    /// 8-bit float.
    Float8E4m3b11fnuz = "float8_e4m3b11fnuz", 1;
    /// 8-bit float.
    Float8E4m3fn = "float8_e4m3fn", 1;
    /// 8-bit float.
    Float8E4m3fnuz = "float8_e4m3fnuz", 1;
    /// 8-bit float.
    Float8E5m2 = "float8_e5m2", 1;
    /// 8-bit float.
    Float8E5m2fnuz = "float8_e5m2fnuz", 1;
    /// 8-bit scale.
    Float8E8m0fnu = "float8_e8m0fnu", 1;
    /// 1-bit integer in a byte.
    Int1 = "int1", 1;
    /// 2-bit integer in a byte.
    Int2 = "int2", 1;
    /// 4-bit integer in a byte.
    Int4 = "int4", 1;
    /// 1-bit unsigned integer in a byte.
    Uint1 = "uint1", 1;
    /// 2-bit unsigned integer in a byte.
    Uint2 = "uint2", 1;
    /// 4-bit unsigned integer in a byte.
    Uint4 = "uint4", 1;
}
