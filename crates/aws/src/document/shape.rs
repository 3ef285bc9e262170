//! The shapes of XML documents: the elements that each operation reads. The codec passes over an element that it does not
//! know, and here nothing that was sent may be ignored; and it does not say where a document is wrong.

use quick_xml::Reader;
use quick_xml::events::Event;
use s3s::{S3Error, S3ErrorCode};

use crate::s3::refuse;

/// An element, what may stand in it, and what must.
pub(crate) struct Element {
    name: &'static str,
    may: &'static [Element],
    must: &'static [&'static str],
}

const fn leaf(name: &'static str) -> Element {
    Element { name, may: &[], must: &[] }
}
const fn node(name: &'static str, must: &'static [&'static str], may: &'static [Element]) -> Element {
    Element { name, may, must }
}

/// Longest name of an element that is told back.
const SHOWN_MAX: usize = 64;

const TAG: Element = node("Tag", &["Key", "Value"], &[leaf("Key"), leaf("Value")]);

const ACL: Element = node(
    "AccessControlPolicy",
    &[],
    &[
        node("Owner", &[], &[leaf("ID"), leaf("DisplayName")]),
        node(
            "AccessControlList",
            &[],
            &[node(
                "Grant",
                &["Grantee", "Permission"],
                &[
                    node("Grantee", &[], &[leaf("ID"), leaf("DisplayName"), leaf("EmailAddress"), leaf("URI")]),
                    leaf("Permission"),
                ],
            )],
        ),
    ],
);

/// The operations that read a document, by name.
#[rustfmt::skip]
const SHAPES: &[(&str, Element)] = &[
    ("CompleteMultipartUpload", node("CompleteMultipartUpload", &["Part"], &[
        node("Part", &["PartNumber", "ETag"], &[
            leaf("PartNumber"), leaf("ETag"), leaf("ChecksumCRC32"), leaf("ChecksumCRC32C"), leaf("ChecksumCRC64NVME"),
            leaf("ChecksumSHA1"), leaf("ChecksumSHA256"),
        ]),
    ])),
    ("CreateBucket", node("CreateBucketConfiguration", &[], &[
        leaf("LocationConstraint"),
        node("Location", &[], &[leaf("Type"), leaf("Name")]),
        node("Bucket", &[], &[leaf("DataRedundancy"), leaf("Type")]),
        node("Tags", &[], &[TAG]),
    ])),
    ("DeleteObjects", node("Delete", &["Object"], &[
        leaf("Quiet"),
        node("Object", &["Key"], &[leaf("Key"), leaf("VersionId"), leaf("ETag"), leaf("LastModifiedTime"), leaf("Size")]),
    ])),
    ("PutBucketAcl", ACL),
    ("PutBucketCors", node("CORSConfiguration", &["CORSRule"], &[
        node("CORSRule", &["AllowedMethod", "AllowedOrigin"], &[
            leaf("ID"), leaf("AllowedHeader"), leaf("AllowedMethod"), leaf("AllowedOrigin"), leaf("ExposeHeader"),
            leaf("MaxAgeSeconds"),
        ]),
    ])),
    ("PutBucketEncryption", node("ServerSideEncryptionConfiguration", &["Rule"], &[
        node("Rule", &[], &[
            node("ApplyServerSideEncryptionByDefault", &["SSEAlgorithm"], &[leaf("SSEAlgorithm"), leaf("KMSMasterKeyID")]),
            node("BlockedEncryptionTypes", &[], &[leaf("EncryptionType")]),
            leaf("BucketKeyEnabled"),
        ]),
    ])),
    ("PutBucketOwnershipControls", node("OwnershipControls", &["Rule"], &[
        node("Rule", &["ObjectOwnership"], &[leaf("ObjectOwnership")]),
    ])),
    ("PutBucketVersioning", node("VersioningConfiguration", &[], &[leaf("Status"), leaf("MfaDelete")])),
    ("PutObjectAcl", ACL),
    ("PutObjectTagging", node("Tagging", &["TagSet"], &[node("TagSet", &[], &[TAG])])),
    ("PutPublicAccessBlock", node("PublicAccessBlockConfiguration", &[], &[
        leaf("BlockPublicAcls"), leaf("IgnorePublicAcls"), leaf("BlockPublicPolicy"), leaf("RestrictPublicBuckets"),
    ])),
];

/// The operations whose documents have a shape here.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn operations() -> impl Iterator<Item = &'static str> {
    SHAPES.iter().map(|(operation, _)| *operation)
}

/// Whether `bytes` have the shape that the operation reads. An operation without one is left to the codec, and so is an
/// absent body where there may be none.
///
/// # Errors
/// `MissingRequestBodyError`; `MalformedXML`, with what is wrong and where.
pub(crate) fn check(operation: &str, bytes: &[u8]) -> Result<(), S3Error> {
    let Some((_, root)) = SHAPES.iter().find(|(name, _)| *name == operation) else { return Ok(()) };
    if bytes.is_empty() {
        let message = format!("the request has no body: send the document `{}`", root.name);
        let optional = matches!(operation, "CreateBucket" | "PutBucketAcl" | "PutObjectAcl");
        return if optional { Ok(()) } else { Err(refuse(S3ErrorCode::MissingRequestBodyError, message)) };
    }
    Walk { bytes, open: Vec::new(), root, done: false }.run()
}

/// One element that is open, and which of its children were seen.
type Open = (&'static Element, Vec<&'static str>);

struct Walk<'a> {
    bytes: &'a [u8],
    open: Vec<Open>,
    root: &'static Element,
    done: bool,
}

impl Walk<'_> {
    fn run(mut self) -> Result<(), S3Error> {
        let mut reader = Reader::from_reader(self.bytes);
        loop {
            let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            match reader.read_event() {
                Ok(Event::Start(start)) => self.enter(start.name().as_ref(), at)?,
                Ok(Event::Empty(start)) => {
                    self.enter(start.name().as_ref(), at)?;
                    self.leave(at)?;
                }
                Ok(Event::End(_)) => self.leave(at)?,
                Ok(Event::DocType(_)) => return Err(self.wrong(at, "a document type is not read: leave it out")),
                Ok(Event::Text(text)) if !text.trim_ascii().is_empty() => {
                    if let Some((element, _)) = self.open.last()
                        && !element.may.is_empty()
                    {
                        return Err(
                            self.wrong(at, &format!("there is text between the elements of `{}`", element.name))
                        );
                    }
                }
                Ok(Event::Eof) if self.done => return Ok(()),
                Ok(Event::Eof) => return Err(self.wrong(at, "the document ends before its elements do")),
                Ok(_) => {}
                Err(error) => return Err(self.wrong(at, &format!("it is not well-formed XML: {error}"))),
            }
        }
    }

    fn enter(&mut self, name: &str, at: usize) -> Result<(), S3Error> {
        let shown: String = name.chars().take(SHOWN_MAX).collect();
        let found = match self.open.last_mut() {
            Some((parent, seen)) => {
                let found = parent.may.iter().find(|child| child.name == name);
                seen.extend(found.map(|child| child.name));
                found
            }
            None => Some(self.root).filter(|root| !self.done && root.name == name),
        };
        let Some(element) = found else {
            let place = match self.open.last() {
                Some((parent, _)) if parent.may.is_empty() => format!("`{}` holds text, not `{shown}`", parent.name),
                Some((parent, _)) => {
                    let names: Vec<&str> = parent.may.iter().map(|child| child.name).collect();
                    format!("`{shown}` is not read in `{}`, which takes {}", parent.name, names.join(", "))
                }
                None => format!("`{shown}` is not read: expected one document `{}`", self.root.name),
            };
            return Err(self.wrong(at, &place));
        };
        self.open.push((element, Vec::new()));
        Ok(())
    }

    fn leave(&mut self, at: usize) -> Result<(), S3Error> {
        let Some((element, seen)) = self.open.pop() else { return Ok(()) };
        if let Some(absent) = element.must.iter().find(|name| !seen.contains(name)) {
            return Err(self.wrong(at, &format!("`{}` needs the element `{absent}`", element.name)));
        }
        self.done = self.open.is_empty();
        Ok(())
    }

    fn wrong(&self, at: usize, what: &str) -> S3Error {
        let line = self.bytes.iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        refuse(
            S3ErrorCode::MalformedXML,
            format!("the body is not a document `{}`: line {line}: {what}", self.root.name),
        )
    }
}

#[cfg(test)]
mod tests;
