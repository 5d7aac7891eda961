//! `zarr.json`: what a frame's header says, in the words of the Zarr v3 core specification and its
//! registered extensions.

use ndbytes_format::frame::{Family, FrameHeader};
use ndbytes_format::{ByteOrder, Code, Dtype, Extended, Header, Kind, Order, TimeUnit};
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// The text of the `zarr.json` of an array whose one shard is a frame of this header.
///
/// # Errors
/// [`Code::UnsupportedDtype`] for dtypes that Zarr has no name for.
pub fn zarr_metadata(header: &FrameHeader) -> Result<String> {
    let array = header.array();
    let data_type = DataType::of(array.dtype())?;
    let shard_shape: Vec<usize> =
        header.chunk_shape().iter().zip(header.grid()).map(|(&edge, n)| edge * n.max(1)).collect();
    let checksum = json!({ "name": "crc32c" });
    let sharding = json!({
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": header.chunk_shape(),
            "codecs": codecs(header, data_type.endian),
            "index_codecs": [bytes(Some(ByteOrder::Little)), checksum],
            "index_location": "end",
        },
    });
    Ok(text(array, data_type, &shard_shape, vec![sharding]))
}

/// The text of the `zarr.json` of an array whose chunks are its bytes as they are.
pub(super) fn plain_metadata(array: &Header, chunk_shape: &[usize]) -> Result<String> {
    let data_type = DataType::of(array.dtype())?;
    let mut codecs: Vec<Value> = transpose(array).into_iter().collect();
    codecs.push(bytes(data_type.endian));
    Ok(text(array, data_type, chunk_shape, codecs))
}

fn text(array: &Header, data_type: DataType, chunk_shape: &[usize], codecs: Vec<Value>) -> String {
    let value = json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": array.shape(),
        "data_type": data_type.name,
        "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": chunk_shape } },
        "chunk_key_encoding": { "name": "default", "configuration": { "separator": "/" } },
        "fill_value": data_type.fill_value,
        "codecs": codecs,
        "attributes": {},
    });
    format!("{value:#}\n")
}

/// What Zarr knows of a dtype.
struct DataType {
    name: Value,
    fill_value: Value,
    /// The order of the bytes of numbers that have more than one.
    endian: Option<ByteOrder>,
}

impl DataType {
    fn of(dtype: &Dtype) -> Result<Self> {
        let (size, bits) = (dtype.itemsize(), 8 * dtype.itemsize());
        let length =
            |name: &str| json!({ "name": name, "configuration": { "length_bytes": size } });
        let time = |name: &str, unit: &Option<TimeUnit>| {
            let (unit, scale) = match unit {
                Some(unit) => (unit.unit.as_str(), unit.multiplier),
                None => ("generic", 1),
            };
            json!({ "name": name, "configuration": { "unit": unit, "scale_factor": scale } })
        };
        let (name, fill_value) = match dtype.kind() {
            _ if size == 0 => return Err(unknown(dtype)),
            Kind::Bool => (json!("bool"), json!(false)),
            Kind::Int => (json!(format!("int{bits}")), json!(0)),
            Kind::Uint => (json!(format!("uint{bits}")), json!(0)),
            Kind::Float => (json!(format!("float{bits}")), json!(0.0)),
            Kind::Complex => (json!(format!("complex{bits}")), json!([0.0, 0.0])),
            Kind::Datetime(unit) => (time("numpy.datetime64", unit), json!(0)),
            Kind::Timedelta(unit) => (time("numpy.timedelta64", unit), json!(0)),
            Kind::Str => (length("fixed_length_utf32"), json!("")),
            Kind::Bytes => (length("null_terminated_bytes"), json!("")),
            Kind::Void => (length("raw_bytes"), zeros_in_base64(size)),
            Kind::Extended(extended) => return Self::extended(*extended, dtype),
            Kind::Struct(_) => return Self::structured(dtype),
            _ => return Err(unknown(dtype)),
        };
        let endian = (dtype.byte_order() != ByteOrder::NotApplicable && size > 1)
            .then_some(dtype.byte_order());
        Ok(Self { name, fill_value, endian })
    }

    /// Types of the `ml_dtypes` package: those with a fill value of their own in Zarr.
    fn extended(extended: Extended, dtype: &Dtype) -> Result<Self> {
        use Extended::*;
        let fill_value = match extended {
            Int1 | Int2 | Int4 | Uint1 | Uint2 | Uint4 => json!(0),
            Bcomplex32 | Complex32 => return Err(unknown(dtype)),
            _ => json!(0.0),
        };
        let endian = match dtype.byte_order() {
            _ if extended.itemsize() == 1 => None,
            ByteOrder::Big => Some(ByteOrder::Big),
            _ => Some(ByteOrder::Little),
        };
        Ok(Self { name: json!(extended.as_str()), fill_value, endian })
    }

    /// Fields one after another, of plain types and one byte order.
    fn structured(dtype: &Dtype) -> Result<Self> {
        let mut fields = Vec::new();
        let (mut end, mut endian) = (0, None);
        for field in dtype.fields().unwrap_or_default() {
            let plain = !matches!(field.dtype.kind(), Kind::Struct(_) | Kind::Extended(_));
            let of = Self::of(&field.dtype)?;
            if !plain || field.offset != end || (endian.or(of.endian) != of.endian.or(endian)) {
                return Err(unknown(dtype));
            }
            end += field.dtype.itemsize();
            endian = endian.or(of.endian);
            fields.push(json!([field.name, of.name]));
        }
        if end != dtype.itemsize() {
            return Err(unknown(dtype));
        }
        let name = json!({ "name": "structured", "configuration": { "fields": fields } });
        Ok(Self { name, fill_value: zeros_in_base64(end), endian })
    }
}

/// The codecs of a chunk, in the order of encoding.
fn codecs(header: &FrameHeader, endian: Option<ByteOrder>) -> Vec<Value> {
    let mut codecs: Vec<Value> = transpose(header.array()).into_iter().collect();
    match header.family() {
        Family::Pco => {
            codecs.push(json!({ "name": "numcodecs.pcodec", "configuration": { "level": 8 } }));
        }
        Family::Blosc => {
            // Decoders go by the header of each buffer; this is what is said of all of them.
            let configuration = json!({
                "cname": "zstd",
                "clevel": 1,
                "shuffle": "shuffle",
                "typesize": header.array().dtype().itemsize().clamp(1, 255),
                "blocksize": 0,
            });
            codecs.push(bytes(endian));
            codecs.push(json!({ "name": "blosc", "configuration": configuration }));
        }
        _ => codecs.push(bytes(endian)),
    }
    codecs.push(json!({ "name": "crc32c" }));
    codecs
}

/// What turns the items of an array in Fortran order into C order.
fn transpose(array: &Header) -> Option<Value> {
    let ndim = array.shape().len();
    (array.order() == Order::F && ndim > 1).then(|| {
        let order: Vec<usize> = (0..ndim).rev().collect();
        json!({ "name": "transpose", "configuration": { "order": order } })
    })
}

fn bytes(endian: Option<ByteOrder>) -> Value {
    match endian {
        Some(ByteOrder::Big) => json!({ "name": "bytes", "configuration": { "endian": "big" } }),
        Some(_) => json!({ "name": "bytes", "configuration": { "endian": "little" } }),
        None => json!({ "name": "bytes" }),
    }
}

fn zeros_in_base64(size: usize) -> Value {
    let rest = match size % 3 {
        0 => "",
        1 => "AA==",
        _ => "AAA=",
    };
    json!("AAAA".repeat(size / 3) + rest)
}

#[cold]
fn unknown(dtype: &Dtype) -> Error {
    let message = format!("Zarr has no name for `{dtype}`");
    Error::new(Code::UnsupportedDtype, message)
}

#[cfg(test)]
mod tests {
    use ndbytes_format::Header;

    use super::*;

    fn value(descr: &str, order: Order, shape: &[usize], chunks: &[usize]) -> Result<Value> {
        let array = Header::new(descr.parse().unwrap(), order, shape.to_vec()).unwrap();
        let header = FrameHeader::new(array, Family::Blosc, chunks.to_vec()).unwrap();
        Ok(serde_json::from_str(&zarr_metadata(&header)?).unwrap())
    }

    #[test]
    fn a_shard_is_all_of_the_array() {
        let value = value(">f4", Order::F, &[7, 5], &[7, 2]).unwrap();
        assert_eq!(value["shape"], json!([7, 5]));
        assert_eq!(value["chunk_grid"]["configuration"]["chunk_shape"], json!([7, 6]));
        let shard = &value["codecs"][0]["configuration"];
        assert_eq!(shard["chunk_shape"], json!([7, 2]));
        assert_eq!(shard["codecs"][0]["configuration"]["order"], json!([1, 0]));
        assert_eq!(shard["codecs"][1]["configuration"]["endian"], "big");
        assert_eq!(shard["codecs"].as_array().unwrap().len(), 4);
    }

    #[test]
    fn types_of_ml_dtypes_have_a_byte_order() {
        for (order, endian) in [(ByteOrder::Big, "big"), (ByteOrder::Little, "little")] {
            let dtype = Dtype::scalar(Kind::Extended(Extended::Bfloat16), order, 2).unwrap();
            let data_type = DataType::of(&dtype).unwrap();
            assert_eq!(bytes(data_type.endian)["configuration"]["endian"], endian);
        }
    }

    #[test]
    fn dtypes_have_zarrs_names_or_none() {
        for (descr, name) in [
            ("|b1", json!("bool")),
            ("<c8", json!("complex64")),
            ("|u1", json!("uint8")),
            (
                "<M8[25s]",
                json!({"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 25}}),
            ),
            ("<U3", json!({"name": "fixed_length_utf32", "configuration": {"length_bytes": 12}})),
            (
                "[('a', '<i4'), ('b', '|S3')]",
                json!({"name": "structured", "configuration": {"fields": [["a", "int32"], ["b",
                    {"name": "null_terminated_bytes", "configuration": {"length_bytes": 3}}]]}}),
            ),
        ] {
            assert_eq!(value(descr, Order::C, &[3], &[2]).unwrap()["data_type"], name);
        }
        for descr in [
            "<f16",
            "|S0",
            "[('a', '<i4'), ('', '|V4'), ('b', '<i4')]",
            "[('a', '<i4'), ('b', '>i4')]",
            "[('a', [('b', '<i4')])]",
            "[('a', '<i4', (2,))]",
        ] {
            let error = value(descr, Order::C, &[3], &[2]).unwrap_err();
            assert_eq!(error.code(), Code::UnsupportedDtype, "{descr}");
        }
        assert_eq!(zeros_in_base64(4), "AAAAAA==");
        assert_eq!(zeros_in_base64(5), "AAAAAAA=");
        assert_eq!(zeros_in_base64(6), "AAAAAAAA");
    }
}
