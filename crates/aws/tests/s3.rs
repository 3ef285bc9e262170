//! The S3 operations over a real listener, with the real store, custody, gate and objects behind it.

use crate::wire::{Reply, call, chunked, crc32};
use crate::world::World;

/// Puts one object and gives its answer.
async fn put_one(world: &World, path: &str, body: &str) -> Reply {
    world.s3(&world.ann, &call("PUT", path).body(body.to_owned())).await.ok()
}

#[tokio::test]
async fn put() {
    let world = World::new().await;
    let whole = world
        .s3(
            &world.ann,
            &call("PUT", "/trial/a.txt").header("content-type", "text/plain").header("x-amz-meta-k", "v").body("one"),
        )
        .await;
    assert_eq!(whole.status, 200, "{}", whole.text());
    assert!(whole.header("etag").starts_with('"') && !whole.header("x-amz-version-id").is_empty());
    // Tools take 32 hexadecimal digits for the MD5 of the content and would find every object damaged.
    assert!(whole.header("etag").ends_with("-1\""), "{}", whole.header("etag"));
    assert_eq!(whole.header("x-amz-server-side-encryption"), "aws:kms");
    assert_eq!(whole.header("x-amz-request-id").len(), 36);

    // The default of SDKs: an unsigned body in chunks with a checksum behind it.
    let body = vec![b'x'; 20_000];
    let sum = crc32(&body);
    let trailing = |trailer: Option<&str>| {
        call("PUT", "/trial/chunked")
            .payload("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .header("content-encoding", "aws-chunked")
            .header("x-amz-decoded-content-length", "20000")
            .header("x-amz-trailer", "x-amz-checksum-crc32")
            .header("x-amz-sdk-checksum-algorithm", "CRC32")
            .body(chunked(&body, trailer))
    };
    world.s3(&world.ann, &trailing(Some(&format!("x-amz-checksum-crc32:{sum}")))).await.ok();
    let back = world.s3(&world.ann, &call("GET", "/trial/chunked").header("x-amz-checksum-mode", "ENABLED")).await.ok();
    assert_eq!(back.body.len(), 20_000);
    assert_eq!(back.header("x-amz-checksum-crc32"), sum);
    assert_eq!(back.header("content-encoding"), "");
    let wrong = world.s3(&world.ann, &trailing(Some("x-amz-checksum-crc32:AAAAAA=="))).await;
    wrong.expect(400, "BadDigest");
    let absent = world.s3(&world.ann, &trailing(None)).await;
    assert_eq!(absent.status, 400, "{}", absent.text());
    let kept = world.s3(&world.ann, &call("GET", "/trial/chunked")).await.ok();
    assert_eq!(kept.header("x-amz-version-id"), back.header("x-amz-version-id"), "a failed upload changed the object");

    let header_sum = call("PUT", "/trial/b").header("x-amz-checksum-crc32", &crc32(b"two")).body("two");
    world.s3(&world.ann, &header_sum).await.ok();
    let bad = call("PUT", "/trial/b").header("x-amz-checksum-crc32", &crc32(b"two")).body("tow");
    world.s3(&world.ann, &bad).await.expect(400, "BadDigest");
    let md5 = call("PUT", "/trial/b").header("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==").body("two");
    world.s3(&world.ann, &md5).await.expect(400, "BadDigest");
    let bearer = call("PUT", "/trial/b").header("authorization", "Bearer x").body("two");
    world.bare(&bearer).await.expect(400, "InvalidArgument");
    world.bare(&call("PUT", "/trial/b").header("authorization", "").body("two")).await.expect(403, "AccessDenied");
    let none = call("PUT", "/trial/a.txt").header("if-none-match", "*").body("three");
    world.s3(&world.ann, &none).await.expect(412, "PreconditionFailed");
    let fresh = call("PUT", "/trial/fresh").header("if-none-match", "*").body("three");
    world.s3(&world.ann, &fresh).await.ok();
}

#[tokio::test]
async fn get() {
    let world = World::new().await;
    let written = put_one(&world, "/trial/key", "0123456789").await;
    let first = written.header("x-amz-version-id").to_owned();
    let read = world.s3(&world.ann, &call("GET", "/trial/key")).await.ok();
    assert_eq!((read.text().as_str(), read.header("content-length")), ("0123456789", "10"));
    for (range, status, want, span) in [
        ("bytes=2-4", 206, "234", "bytes 2-4/10"),
        ("bytes=7-", 206, "789", "bytes 7-9/10"),
        ("bytes=-2", 206, "89", "bytes 8-9/10"),
        ("bytes=5-99", 206, "56789", "bytes 5-9/10"),
    ] {
        let part = world.s3(&world.ann, &call("GET", "/trial/key").header("range", range)).await;
        assert_eq!((part.status, part.text().as_str(), part.header("content-range")), (status, want, span), "{range}");
    }
    world.s3(&world.ann, &call("GET", "/trial/key").header("range", "bytes=10-")).await.expect(416, "InvalidRange");
    // What cannot be read is passed over where the signature allows it, and refused where the signature covers it.
    for range in ["bytes=4-2", "bytes=0-1,4-5", "bytes=hello", "lines=1-2"] {
        let url = world.presigned(&world.ann, &call("GET", "/trial/key"), 60);
        let whole = world.raw("GET", &url, &[("range", range)], "").await;
        assert_eq!((whole.status, whole.text().as_str()), (200, "0123456789"), "{range}");
        let covered = world.s3(&world.ann, &call("GET", "/trial/key").header("range", range)).await;
        covered.expect(400, "InvalidArgument");
        assert!(covered.text().contains("ask for one range"), "{}", covered.text());
    }
    let etag = read.header("etag").to_owned();
    let same = world.s3(&world.ann, &call("GET", "/trial/key").header("if-none-match", &etag)).await;
    assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, etag.as_str()));
    let other = world.s3(&world.ann, &call("GET", "/trial/key").header("if-match", "\"other\"")).await;
    other.expect(412, "PreconditionFailed");
    for known in [format!("\"other\", {etag}"), format!("W/{etag}"), format!("W/\"other\", W/{etag}")] {
        let same = world.s3(&world.ann, &call("GET", "/trial/key").header("if-none-match", &known)).await;
        assert_eq!(same.status, 304, "{known}");
    }
    world.s3(&world.ann, &call("GET", "/trial/key").header("if-match", &format!("\"other\", {etag}"))).await.ok();
    let weak = world.s3(&world.ann, &call("GET", "/trial/key").header("if-match", &format!("W/{etag}"))).await;
    weak.expect(412, "PreconditionFailed");
    let styled = world
        .s3(
            &world.ann,
            &call("GET", "/trial/key")
                .query("response-content-type", "text/x")
                .query("response-cache-control", "no-store"),
        )
        .await
        .ok();
    assert_eq!((styled.header("content-type"), styled.header("cache-control")), ("text/x", "no-store"));
    put_one(&world, "/trial/key", "new").await;
    let old = world.s3(&world.ann, &call("GET", "/trial/key").query("versionId", &first)).await.ok();
    assert_eq!((old.text().as_str(), old.header("x-amz-version-id")), ("0123456789", first.as_str()));
    let head = world.s3(&world.ann, &call("HEAD", "/trial/key")).await.ok();
    assert_eq!((head.header("content-length"), head.body.len()), ("3", 0));
    world.s3(&world.ann, &call("GET", "/trial/absent")).await.expect(404, "NoSuchKey");
    assert_eq!(world.s3(&world.ann, &call("HEAD", "/trial/absent")).await.status, 404);
    world
        .s3(&world.ann, &call("GET", "/trial/key").query("versionId", "nonsense"))
        .await
        .expect(400, "InvalidArgument");
    let null = |path: &str| call("GET", path).query("versionId", "null");
    world.s3(&world.ann, &null("/trial/key")).await.expect(404, "NoSuchVersion");
    // It is asked for as every other version is: who may not read hears no more than that.
    world.s3(&world.ann, &null("/secret/key")).await.expect(403, "AccessDenied");
}

// A download that was resumed after the object had changed was put together from two objects.
#[tokio::test]
async fn a_range_of_another_object_than_the_begun_one_is_not_served() {
    let world = World::new().await;
    put_one(&world, "/trial/key", "0123456789").await;
    let head = world.s3(&world.ann, &call("HEAD", "/trial/key")).await.ok();
    let (etag, modified) = (head.header("etag").to_owned(), head.header("last-modified").to_owned());
    let url = world.presigned(&world.ann, &call("GET", "/trial/key"), 60);
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (known, status, want) in [
        (etag.as_str(), 206, "234"),
        (modified.as_str(), 206, "234"),
        ("\"other\"", 200, "0123456789"),
        (&format!("W/{etag}"), 200, "0123456789"),
        (date, 200, "0123456789"),
        ("nonsense", 200, "0123456789"),
    ] {
        let signed = call("GET", "/trial/key").header("range", "bytes=2-4").header("if-range", known);
        for part in [
            world.raw("GET", &url, &[("range", "bytes=2-4"), ("if-range", known)], "").await,
            world.s3(&world.ann, &signed).await,
        ] {
            assert_eq!((part.status, part.text().as_str()), (status, want), "{known}");
        }
    }
}

#[tokio::test]
async fn attributes() {
    let world = World::new().await;
    put_one(&world, "/trial/key", "0123456789").await;
    let call = call("GET", "/trial/key")
        .query("attributes", "")
        .header("x-amz-object-attributes", "ETag,ObjectSize,StorageClass");
    let told = world.s3(&world.ann, &call).await.ok();
    assert_eq!(told.element("ObjectSize").as_deref(), Some("10"));
    assert_eq!(told.element("StorageClass").as_deref(), Some("STANDARD"));
}

#[tokio::test]
async fn delete() {
    let world = World::new().await;
    put_one(&world, "/trial/a", "1").await;
    put_one(&world, "/trial/b", "2").await;
    let gone = world.s3(&world.ann, &call("DELETE", "/trial/a")).await;
    assert_eq!((gone.status, gone.header("x-amz-delete-marker")), (204, "true"));
    let absent = world.s3(&world.ann, &call("GET", "/trial/a")).await;
    absent.expect(404, "NoSuchKey");
    assert_eq!(absent.header("x-amz-delete-marker"), "true");
    let marker = gone.header("x-amz-version-id");
    let read = world.s3(&world.ann, &call("GET", "/trial/a").query("versionId", marker)).await;
    read.expect(405, "MethodNotAllowed");
    assert_eq!(read.header("allow"), "DELETE");
    let xml = "<Delete><Object><Key>b</Key></Object><Object><Key>c</Key></Object></Delete>";
    let many = world.s3(&world.ann, &call("POST", "/trial").query("delete", "").body(xml)).await.ok();
    assert_eq!(many.elements("Key"), ["b", "c"]);
    assert!(!many.text().contains("<Error>"), "{}", many.text());
    let kept = put_one(&world, "/trial/kept", "1").await.header("etag").replace('"', "&quot;");
    let tagged = |tag: &str| {
        let xml = format!("<Delete><Object><Key>kept</Key><ETag>{tag}</ETag></Object></Delete>");
        call("POST", "/trial").query("delete", "").body(xml)
    };
    let other = world.s3(&world.ann, &tagged("&quot;0&quot;")).await.ok();
    assert_eq!(other.elements("Code"), ["PreconditionFailed"], "{}", other.text());
    let same = world.s3(&world.ann, &tagged(&kept)).await.ok();
    assert!(same.elements("Code").is_empty(), "{}", same.text());
    world.s3(&world.ann, &call("POST", "/nowhere").query("delete", "").body(xml)).await.expect(404, "NoSuchBucket");
    // Ann may read `shared/a/` and write nothing there.
    let xml = "<Delete><Object><Key>a/x</Key></Object><Object><Key>b/x</Key></Object></Delete>";
    let mixed = world.s3(&world.ann, &call("POST", "/shared").query("delete", "").body(xml)).await.ok();
    assert_eq!(mixed.elements("Code"), ["AccessDenied", "AccessDenied"]);
    let version = world.s3(&world.ann, &call("GET", "/trial").query("versions", "").query("prefix", "b")).await.ok();
    let named = version.elements("VersionId");
    let permanent = world.s3(&world.ann, &call("DELETE", "/trial/b").query("versionId", &named[0])).await;
    permanent.expect(403, "AccessDenied");
}

#[tokio::test]
async fn list() {
    let world = World::new().await;
    for key in ["a/1", "a/2", "b/1", "c", "d +ü"] {
        put_one(&world, &format!("/trial/{key}"), "x").await;
    }
    let all = world.s3(&world.ann, &call("GET", "/trial").query("list-type", "2")).await.ok();
    assert_eq!(all.elements("Key"), ["a/1", "a/2", "b/1", "c", "d +ü"]);
    assert_eq!(all.element("KeyCount").as_deref(), Some("5"));
    let folded =
        world.s3(&world.ann, &call("GET", "/trial").query("list-type", "2").query("delimiter", "/")).await.ok();
    assert_eq!(folded.elements("Key"), ["c", "d +ü"]);
    assert!(folded.text().contains("<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>"), "{}", folded.text());
    let encoded = world
        .s3(
            &world.ann,
            &call("GET", "/trial").query("list-type", "2").query("encoding-type", "url").query("prefix", "d "),
        )
        .await
        .ok();
    assert_eq!(encoded.elements("Key"), ["d%20%2B%C3%BC"]);
    let mut token: Option<String> = None;
    let mut seen = Vec::new();
    for _ in 0..10 {
        let mut page = call("GET", "/trial").query("list-type", "2").query("max-keys", "2");
        if let Some(token) = &token {
            page = page.query("continuation-token", token);
        }
        let page = world.s3(&world.ann, &page).await.ok();
        seen.extend(page.elements("Key"));
        token = page.element("NextContinuationToken");
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["a/1", "a/2", "b/1", "c", "d +ü"]);
    let one = world.s3(&world.ann, &call("GET", "/trial").query("max-keys", "1").query("marker", "a/2")).await.ok();
    assert_eq!((one.elements("Key"), one.element("IsTruncated").as_deref()), (vec!["b/1".to_owned()], Some("true")));
    world.s3(&world.ann, &call("GET", "/trial").query("max-keys", "-1")).await.expect(400, "InvalidArgument");
    for never_given in ["*", ""] {
        let next = call("GET", "/trial").query("list-type", "2").query("continuation-token", never_given);
        world.s3(&world.ann, &next).await.expect(400, "InvalidArgument");
    }
    // A list shows what is granted and nothing beside it.
    world.s3(&world.bob, &call("PUT", "/shared/a/1").body("x")).await.ok();
    world.s3(&world.bob, &call("PUT", "/shared/b/1").body("x")).await.ok();
    let granted = world.s3(&world.ann, &call("GET", "/shared").query("list-type", "2")).await.ok();
    assert_eq!(granted.elements("Key"), ["a/1"]);
    let outside = world.s3(&world.ann, &call("GET", "/shared").query("list-type", "2").query("prefix", "b/")).await;
    assert!(outside.status == 403 || outside.elements("Key").is_empty(), "{}", outside.text());
    world.s3(&world.ann, &call("GET", "/secret").query("list-type", "2")).await.expect(403, "AccessDenied");
}

#[tokio::test]
async fn versions() {
    let world = World::new().await;
    put_one(&world, "/trial/a", "1").await;
    put_one(&world, "/trial/a", "2").await;
    world.s3(&world.ann, &call("DELETE", "/trial/a")).await;
    put_one(&world, "/trial/b", "1").await;
    let all = world.s3(&world.ann, &call("GET", "/trial").query("versions", "")).await.ok();
    assert_eq!(all.elements("Key").len(), 4, "{}", all.text());
    assert_eq!(all.elements("DeleteMarker").len(), 1, "{}", all.text());
    let mut seen = 0;
    let (mut key, mut version) = (String::new(), String::new());
    for _ in 0..10 {
        let mut page = call("GET", "/trial").query("versions", "").query("max-keys", "1");
        if !key.is_empty() {
            page = page.query("key-marker", &key).query("version-id-marker", &version);
        }
        let page = world.s3(&world.ann, &page).await.ok();
        seen += page.elements("VersionId").len();
        match (page.element("NextKeyMarker"), page.element("NextVersionIdMarker")) {
            (Some(next), at) => (key, version) = (next, at.unwrap_or_default()),
            (None, _) => break,
        }
    }
    assert_eq!(seen, 4);
}

#[tokio::test]
async fn tagging() {
    let world = World::new().await;
    world.s3(&world.ann, &call("PUT", "/trial/a").header("x-amz-tagging", "k=v&l=w%20x").body("1")).await.ok();
    let tags = world.s3(&world.ann, &call("GET", "/trial/a").query("tagging", "")).await.ok();
    assert_eq!(
        (tags.elements("Key"), tags.elements("Value")),
        (vec!["k".into(), "l".into()], vec!["v".into(), "w x".into()])
    );
    let xml = "<Tagging><TagSet><Tag><Key>n</Key><Value>1</Value></Tag></TagSet></Tagging>";
    world.s3(&world.ann, &call("PUT", "/trial/a").query("tagging", "").body(xml)).await.ok();
    let head = world.s3(&world.ann, &call("HEAD", "/trial/a")).await.ok();
    assert_eq!(head.header("x-amz-tagging-count"), "1");
    assert_eq!(world.s3(&world.ann, &call("DELETE", "/trial/a").query("tagging", "")).await.status, 204);
    let none = world.s3(&world.ann, &call("GET", "/trial/a").query("tagging", "")).await.ok();
    assert!(none.elements("Key").is_empty());
    let bad = "<Tagging><TagSet><Tag><Key>aws:x</Key><Value>1</Value></Tag></TagSet></Tagging>";
    world.s3(&world.ann, &call("PUT", "/trial/a").query("tagging", "").body(bad)).await.expect(400, "InvalidTag");
}

#[tokio::test]
async fn copy() {
    let world = World::new().await;
    world.s3(&world.ann, &call("PUT", "/trial/from key").header("x-amz-meta-k", "v").body("12345")).await.ok();
    let copied =
        world.s3(&world.ann, &call("PUT", "/trial/to").header("x-amz-copy-source", "/trial/from%20key")).await.ok();
    assert!(copied.element("ETag").is_some(), "{}", copied.text());
    let read = world.s3(&world.ann, &call("GET", "/trial/to")).await.ok();
    assert_eq!((read.text().as_str(), read.header("x-amz-meta-k")), ("12345", "v"));
    let replaced = call("PUT", "/trial/to")
        .header("x-amz-copy-source", "trial/from%20key")
        .header("x-amz-metadata-directive", "REPLACE")
        .header("x-amz-meta-n", "w");
    world.s3(&world.ann, &replaced).await.ok();
    assert_eq!(world.s3(&world.ann, &call("HEAD", "/trial/to")).await.header("x-amz-meta-n"), "w");
    // What a copy would leave aside in silence is refused; who says COPY wants that.
    for (header, value) in [("x-amz-meta-n", "x"), ("cache-control", "no-store"), ("x-amz-tagging", "a=b")] {
        let copy = call("PUT", "/trial/aside").header("x-amz-copy-source", "trial/from%20key").header(header, value);
        world.s3(&world.ann, &copy).await.expect(400, "InvalidArgument");
        let directive = if header == "x-amz-tagging" { "x-amz-tagging-directive" } else { "x-amz-metadata-directive" };
        world.s3(&world.ann, &copy.header(directive, "COPY")).await.ok();
        let aside = world.s3(&world.ann, &call("HEAD", "/trial/aside")).await;
        assert_eq!((aside.header("x-amz-meta-n"), aside.header("x-amz-tagging-count")), ("", ""));
    }
    let itself = call("PUT", "/trial/to").header("x-amz-copy-source", "trial/to");
    world.s3(&world.ann, &itself).await.expect(400, "InvalidRequest");
    world.s3(&world.ann, &itself.header("x-amz-storage-class", "STANDARD")).await.ok();
    put_one(&world, "/trial/gone", "1").await;
    let marker = world.s3(&world.ann, &call("DELETE", "/trial/gone")).await.header("x-amz-version-id").to_owned();
    let gone = format!("trial/gone?versionId={marker}");
    let dead = world.s3(&world.ann, &call("PUT", "/trial/to").header("x-amz-copy-source", &gone)).await;
    dead.expect(400, "InvalidRequest");
    // The source is in a dataset that Ann may not read; the destination she may write.
    world.s3(&world.bob, &call("PUT", "/secret/x").body("hidden")).await.ok();
    let stolen = world.s3(&world.ann, &call("PUT", "/trial/stolen").header("x-amz-copy-source", "/secret/x")).await;
    stolen.expect(403, "AccessDenied");
    // And the other way round.
    let planted = world.s3(&world.ann, &call("PUT", "/secret/planted").header("x-amz-copy-source", "/trial/to")).await;
    planted.expect(403, "AccessDenied");
    let begun = world.s3(&world.ann, &call("POST", "/trial/parts").query("uploads", "")).await.ok();
    let upload = begun.element("UploadId").unwrap();
    let part = |source: &str| {
        call("PUT", "/trial/parts")
            .query("partNumber", "1")
            .query("uploadId", &upload)
            .header("x-amz-copy-source", source)
    };
    let done = world.s3(&world.ann, &part("/trial/to").header("x-amz-copy-source-range", "bytes=1-3")).await.ok();
    assert!(done.element("ETag").is_some());
    world.s3(&world.ann, &part("/secret/x")).await.expect(403, "AccessDenied");
}

#[tokio::test]
async fn multipart() {
    let world = World::new().await;
    let begun =
        world.s3(&world.ann, &call("POST", "/trial/large").query("uploads", "").header("x-amz-meta-k", "v")).await.ok();
    let upload = begun.element("UploadId").unwrap();
    let part = |number: u32, size: usize| {
        let body = vec![b'0' + u8::try_from(number).unwrap(); size];
        call("PUT", "/trial/large").query("partNumber", &number.to_string()).query("uploadId", &upload).body(body)
    };
    let first = world.s3(&world.ann, &part(1, 5 << 20)).await.ok().header("etag").to_owned();
    let second = world.s3(&world.ann, &part(2, 10)).await.ok();
    let (second, sum) = (second.header("etag").to_owned(), second.header("x-amz-checksum-crc64nvme").to_owned());
    let parts = world.s3(&world.ann, &call("GET", "/trial/large").query("uploadId", &upload)).await.ok();
    assert_eq!(parts.elements("PartNumber"), ["1", "2"]);
    assert_eq!(parts.elements("Initiator"), parts.elements("Owner"));
    let uploads = world.s3(&world.ann, &call("GET", "/trial").query("uploads", "")).await.ok();
    assert_eq!(uploads.elements("UploadId"), std::slice::from_ref(&upload));
    world.s3(&world.ann, &call("GET", "/trial/large")).await.expect(404, "NoSuchKey");
    let complete = |list: &[(u32, &str)]| {
        let parts: String = list
            .iter()
            .map(|(n, tag)| format!("<Part><PartNumber>{n}</PartNumber><ETag>{tag}</ETag></Part>"))
            .collect();
        let xml = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        call("POST", "/trial/large").query("uploadId", &upload).body(xml)
    };
    world.s3(&world.ann, &complete(&[(2, &second), (1, &first)])).await.expect(400, "InvalidPartOrder");
    world.s3(&world.ann, &complete(&[(1, "\"other\"")])).await.expect(400, "InvalidPart");
    let other = complete(&[(1, &first), (2, &second)]).header("x-amz-mp-object-size", "5");
    world.s3(&world.ann, &other).await.expect(400, "InvalidRequest");
    let done = world.s3(&world.ann, &complete(&[(1, &first), (2, &second)])).await.ok();
    assert!(done.element("ETag").unwrap().contains("-2"), "{}", done.text());
    let read = world.s3(&world.ann, &call("GET", "/trial/large").header("range", "bytes=5242878-5242881")).await;
    assert_eq!((read.status, read.text().as_str(), read.header("x-amz-meta-k")), (206, "1122", "v"));
    let part = |method, number| call(method, "/trial/large").query("partNumber", number);
    let second = world.s3(&world.ann, &part("HEAD", "2")).await;
    assert_eq!((second.status, second.header("content-range")), (206, "bytes 5242880-5242889/5242890"));
    world.s3(&world.ann, &part("GET", "3")).await.expect(416, "InvalidPartNumber");
    // The checksum of a part is the part's, as it was told when the part was stored; a range has none.
    let told = world.s3(&world.ann, &part("GET", "2").header("x-amz-checksum-mode", "ENABLED")).await;
    assert_eq!((told.status, told.header("x-amz-checksum-type")), (206, "FULL_OBJECT"));
    assert_eq!((told.header("x-amz-checksum-crc64nvme"), told.text().as_str()), (sum.as_str(), "2222222222"));
    let head = world.s3(&world.ann, &part("HEAD", "2").header("x-amz-checksum-mode", "ENABLED")).await;
    assert_eq!(head.header("x-amz-checksum-crc64nvme"), sum);
    let range = call("GET", "/trial/large").header("range", "bytes=0-9").header("x-amz-checksum-mode", "ENABLED");
    assert_eq!(world.s3(&world.ann, &range).await.header("x-amz-checksum-crc64nvme"), "");
    let again = call("POST", "/trial/gone").query("uploads", "");
    let gone = world.s3(&world.ann, &again).await.ok().element("UploadId").unwrap();
    let abort = call("DELETE", "/trial/gone").query("uploadId", &gone);
    assert_eq!(world.s3(&world.ann, &abort).await.status, 204);
    world.s3(&world.ann, &abort).await.expect(404, "NoSuchUpload");
}

#[tokio::test]
async fn buckets() {
    let world = World::new().await;
    let mine = world.s3(&world.ann, &call("GET", "/")).await.ok();
    assert_eq!(mine.elements("Name"), ["shared", "trial"], "{}", mine.text());
    assert_eq!(world.s3(&world.ann, &call("HEAD", "/trial")).await.header("x-amz-bucket-region"), crate::wire::REGION);
    assert_eq!(world.s3(&world.ann, &call("HEAD", "/secret")).await.status, 403);
    assert_eq!(world.s3(&world.ann, &call("HEAD", "/nowhere")).await.status, 404);
    world.s3(&world.ann, &call("PUT", "/mine-1")).await.ok();
    world.s3(&world.ann, &call("PUT", "/mine-1/key").body("x")).await.ok();
    world.s3(&world.ann, &call("PUT", "/mine-1")).await.expect(409, "BucketAlreadyOwnedByYou");
    world.s3(&world.ann, &call("PUT", "/secret")).await.expect(409, "BucketAlreadyExists");
    world.s3(&world.ann, &call("DELETE", "/mine-1")).await.expect(409, "BucketNotEmpty");
    let version = world.s3(&world.ann, &call("HEAD", "/mine-1/key")).await.header("x-amz-version-id").to_owned();
    let removed = world.s3(&world.ann, &call("DELETE", "/mine-1/key").query("versionId", &version)).await;
    assert_eq!(removed.status, 204, "{}", removed.text());
    assert_eq!(world.s3(&world.ann, &call("DELETE", "/mine-1")).await.status, 204);
    assert_eq!(world.s3(&world.ann, &call("HEAD", "/mine-1")).await.status, 404);
    assert!(world.access.locations_in("mine-1").is_empty());
    world.maintenance.once().await;
    assert_eq!(world.s3(&world.ann, &call("PUT", "/Bad_Name")).await.status, 400);
    for reserved in [
        "/xn--mine",
        "/sthree-mine",
        "/amzn-s3-demo-mine",
        "/mine-s3alias",
        "/mine--ol-s3",
        "/mine.mrap",
        "/mine--x-s3",
        "/mine--table-s3",
    ] {
        world.s3(&world.ann, &call("PUT", reserved)).await.expect(400, "InvalidBucketName");
    }
    let made = |inner: &str| {
        let document = format!("<CreateBucketConfiguration>{inner}</CreateBucketConfiguration>");
        call("PUT", "/mine-2").body(document)
    };
    let place = |name: &str| made(&format!("<LocationConstraint>{name}</LocationConstraint>"));
    world.s3(&world.ann, &place("us-west-2")).await.expect(400, "IllegalLocationConstraintException");
    world.s3(&world.ann, &place("mars")).await.expect(400, "InvalidLocationConstraint");
    world
        .s3(&world.ann, &made("<Location><Type>AvailabilityZone</Type></Location>"))
        .await
        .expect(501, "NotImplemented");
    let unknown = world.s3(&world.ann, &made("<Replicas>2</Replicas>")).await;
    unknown.expect(400, "MalformedXML");
    assert!(unknown.text().contains("`Replicas` is not read in `CreateBucketConfiguration`"), "{}", unknown.text());
    world.s3(&world.ann, &place(crate::wire::REGION)).await.ok();
}

#[tokio::test]
async fn settings() {
    let world = World::new().await;
    let ask = |name: &str| call("GET", "/trial").query(name, "");
    let location = world.s3(&world.ann, &ask("location")).await.ok();
    assert!(location.text().contains(crate::wire::REGION), "{}", location.text());
    assert_eq!(world.s3(&world.ann, &ask("versioning")).await.ok().element("Status").as_deref(), Some("Enabled"));
    assert_eq!(world.s3(&world.ann, &ask("encryption")).await.ok().element("SSEAlgorithm").as_deref(), Some("aws:kms"));
    let block = world.s3(&world.ann, &ask("publicAccessBlock")).await.ok();
    for name in ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"] {
        assert_eq!(block.element(name).as_deref(), Some("true"), "{name}");
    }
    let ownership = world.s3(&world.ann, &ask("ownershipControls")).await.ok();
    assert_eq!(ownership.element("ObjectOwnership").as_deref(), Some("BucketOwnerEnforced"));
    assert_eq!(world.s3(&world.ann, &ask("acl")).await.ok().elements("Permission"), ["FULL_CONTROL"]);
    put_one(&world, "/trial/key", "x").await;
    assert_eq!(
        world.s3(&world.ann, &call("GET", "/trial/key").query("acl", "")).await.ok().elements("Permission"),
        ["FULL_CONTROL"]
    );
    let set = |name: &str, xml: &str| call("PUT", "/trial").query(name, "").body(xml.to_owned());
    let versioning = |state: &str| {
        set("versioning", &format!("<VersioningConfiguration><Status>{state}</Status></VersioningConfiguration>"))
    };
    world.s3(&world.olga, &versioning("Enabled")).await.ok();
    world.s3(&world.olga, &versioning("Suspended")).await.expect(409, "InvalidBucketState");
    let public = |last: bool| {
        let all = "<BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy>";
        set(
            "publicAccessBlock",
            &format!(
                "<PublicAccessBlockConfiguration>{all}<RestrictPublicBuckets>{last}</RestrictPublicBuckets></PublicAccessBlockConfiguration>"
            ),
        )
    };
    world.s3(&world.ann, &call("GET", "/trial/none").query("acl", "")).await.expect(404, "NoSuchKey");
    let acl = world.s3(&world.ann, &call("GET", "/trial/key").query("acl", "")).await.ok().text();
    let given = |path: &str, xml: &str| call("PUT", path).query("acl", "").body(xml.to_owned());
    world.s3(&world.ann, &given("/trial/key", &acl)).await.ok();
    world.s3(&world.ann, &given("/trial/none", &acl)).await.expect(404, "NoSuchKey");
    world.s3(&world.ann, &given("/trial/key", "").header("x-amz-acl", "private")).await.ok();
    world.s3(&world.ann, &given("/trial/key", "")).await.expect(400, "MissingSecurityHeader");
    world.s3(&world.olga, &given("/trial", &acl)).await.ok();
    world.s3(&world.ann, &given("/trial", &acl)).await.expect(403, "AccessDenied");
    let read = acl.replace("FULL_CONTROL", "READ");
    for less in [read, acl.replace("123456789012", "210987654321"), "<AccessControlPolicy/>".to_owned()] {
        world.s3(&world.olga, &given("/trial", &less)).await.expect(400, "AccessControlListNotSupported");
    }
    let granted = given("/trial/key", "").header("x-amz-grant-read", "uri=x");
    world.s3(&world.ann, &granted).await.expect(400, "AccessControlListNotSupported");
    let owned = |rule: &str| {
        set(
            "ownershipControls",
            &format!("<OwnershipControls><Rule><ObjectOwnership>{rule}</ObjectOwnership></Rule></OwnershipControls>"),
        )
    };
    world.s3(&world.olga, &owned("BucketOwnerEnforced")).await.ok();
    world.s3(&world.olga, &owned("ObjectWriter")).await.expect(501, "NotImplemented");
    let encrypted = |wish: &str| {
        let wish = format!("<ApplyServerSideEncryptionByDefault>{wish}</ApplyServerSideEncryptionByDefault>");
        set(
            "encryption",
            &format!("<ServerSideEncryptionConfiguration><Rule>{wish}</Rule></ServerSideEncryptionConfiguration>"),
        )
    };
    world.s3(&world.olga, &encrypted("<SSEAlgorithm>aws:kms</SSEAlgorithm>")).await.ok();
    for less in [
        "<SSEAlgorithm>AES256</SSEAlgorithm>",
        "<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>",
    ] {
        world.s3(&world.olga, &encrypted(less)).await.expect(501, "NotImplemented");
    }
    world.s3(&world.ann, &owned("BucketOwnerEnforced")).await.expect(403, "AccessDenied");
    world.s3(&world.olga, &public(true)).await.ok();
    world.s3(&world.olga, &public(false)).await.expect(403, "AccessDenied");
    assert_eq!(world.s3(&world.olga, &ask("policyStatus")).await.ok().element("IsPublic").as_deref(), Some("false"));
}

#[tokio::test]
async fn what_a_bucket_does_not_have() {
    let world = World::new().await;
    for (name, code) in [
        ("tagging", "NoSuchTagSet"),
        ("lifecycle", "NoSuchLifecycleConfiguration"),
        ("replication", "ReplicationConfigurationNotFoundError"),
        ("website", "NoSuchWebsiteConfiguration"),
        ("object-lock", "ObjectLockConfigurationNotFoundError"),
    ] {
        world.s3(&world.ann, &call("GET", "/trial").query(name, "")).await.expect(404, code);
        // To whom the bucket is closed, it is closed.
        world.s3(&world.ann, &call("GET", "/secret").query(name, "")).await.expect(403, "AccessDenied");
    }
    for (name, root) in [
        ("logging", "BucketLoggingStatus"),
        ("notification", "NotificationConfiguration"),
        ("accelerate", "AccelerateConfiguration"),
    ] {
        let reply = world.s3(&world.ann, &call("GET", "/trial").query(name, "")).await.ok();
        assert!(reply.text().contains(&format!("<{root}")), "{name}: {}", reply.text());
    }
    put_one(&world, "/trial/key", "x").await;
    for name in ["retention", "legal-hold"] {
        world.s3(&world.ann, &call("GET", "/trial/key").query(name, "")).await.expect(400, "InvalidRequest");
        world.s3(&world.ann, &call("GET", "/trial/none").query(name, "")).await.expect(404, "NoSuchKey");
    }
    let payer = world.s3(&world.ann, &call("GET", "/trial").query("requestPayment", "")).await.ok();
    assert_eq!(payer.element("Payer").as_deref(), Some("BucketOwner"));
}

#[tokio::test]
async fn nothing_to_delete() {
    let world = World::new().await;
    for name in ["tagging", "lifecycle", "replication", "website", "encryption", "cors", "policy"] {
        let delete = call("DELETE", "/trial").query(name, "");
        for _ in 0..2 {
            let reply = world.s3(&world.olga, &delete).await;
            assert_eq!((reply.status, reply.body.len()), (204, 0), "{name}: {}", reply.text());
        }
        world.s3(&world.ann, &delete).await.expect(403, "AccessDenied");
    }
    let encryption = world.s3(&world.ann, &call("GET", "/trial").query("encryption", "")).await.ok();
    assert_eq!(encryption.element("SSEAlgorithm").as_deref(), Some("aws:kms"));
}

#[tokio::test]
async fn dataset_policy() {
    let world = World::new().await;
    let get = call("GET", "/trial").query("policy", "");
    world.s3(&world.olga, &get).await.expect(404, "NoSuchBucketPolicy");
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::trial/closed/*"}]}"#;
    let put = |text: &str| call("PUT", "/trial").query("policy", "").body(text.to_owned());
    put_one(&world, "/trial/closed/x", "x").await;
    world.s3(&world.ann, &call("GET", "/trial/closed/x")).await.ok();
    world.s3(&world.ann, &put(deny)).await.expect(403, "AccessDenied");
    assert_eq!(world.s3(&world.olga, &put(deny)).await.status, 204);
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(json(&world.s3(&world.olga, &get).await.ok().text()), json(deny));
    world.s3(&world.ann, &call("GET", "/trial/closed/x")).await.expect(403, "AccessDenied");
    let allow = deny.replace("Deny", "Allow");
    world.s3(&world.olga, &put(&allow)).await.expect(400, "MalformedPolicy");
    let broken = world.s3(&world.olga, &put("{}x")).await;
    broken.expect(400, "MalformedPolicy");
    assert!(broken.text().contains("not JSON at line 1"), "{}", broken.text());
    let elsewhere = world.s3(&world.olga, &put(&deny.replace("trial/closed", "trial2"))).await;
    elsewhere.expect(400, "MalformedPolicy");
    assert!(elsewhere.text().contains("arn:aws:s3:::trial2/*"), "{}", elsewhere.text());
    for reaching in ["*", "arn:aws:s3:::trial", "arn:aws:s3:::tri*", "arn:aws:s3:::*/x"] {
        let policy = deny.replace("arn:aws:s3:::trial/closed/*", reaching);
        assert_eq!(world.s3(&world.olga, &put(&policy)).await.status, 204, "{reaching}");
    }
    // A policy that shuts everybody out does not shut its owner out of mending it.
    let shut =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}]}"#;
    assert_eq!(world.s3(&world.olga, &put(shut)).await.status, 204);
    world.s3(&world.olga, &call("GET", "/trial").query("cors", "")).await.expect(403, "AccessDenied");
    world.s3(&world.ann, &call("DELETE", "/trial").query("policy", "")).await.expect(403, "AccessDenied");
    assert_eq!(json(&world.s3(&world.olga, &get).await.ok().text()), json(shut));
    assert_eq!(world.s3(&world.olga, &put(shut)).await.status, 204);
    assert_eq!(world.s3(&world.olga, &call("DELETE", "/trial").query("policy", "")).await.status, 204);
    world.s3(&world.ann, &call("GET", "/trial/closed/x")).await.ok();
}

#[tokio::test]
async fn cors() {
    let world = World::new().await;
    let rules = "<CORSConfiguration><CORSRule><AllowedOrigin>https://a.test</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedHeader>*</AllowedHeader><ExposeHeader>ETag</ExposeHeader></CORSRule></CORSConfiguration>";
    let put = call("PUT", "/trial").query("cors", "").body(rules);
    world.s3(&world.ann, &put).await.expect(403, "AccessDenied");
    world.s3(&world.olga, &put).await.ok();
    let get = world.s3(&world.olga, &call("GET", "/trial").query("cors", "")).await.ok();
    assert_eq!(get.elements("AllowedOrigin"), ["https://a.test"]);
    let preflight = |bucket: &str, origin: &str| {
        call("OPTIONS", &format!("/{bucket}/key"))
            .header("origin", origin)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization")
    };
    let yes = world.bare(&preflight("trial", "https://a.test")).await;
    assert_eq!((yes.status, yes.header("access-control-allow-origin")), (200, "https://a.test"));
    let no = world.bare(&preflight("trial", "https://b.test")).await;
    let nowhere = world.bare(&preflight("nowhere", "https://a.test")).await;
    assert_eq!((no.status, nowhere.status), (403, 403));
    assert_eq!(no.element("Message"), nowhere.element("Message"));
    let half = call("OPTIONS", "/trial/key").header("origin", "https://a.test");
    world.bare(&half).await.expect(400, "BadRequest");
    put_one(&world, "/trial/key", "x").await;
    let read = world.s3(&world.ann, &call("GET", "/trial/key").header("origin", "https://a.test")).await.ok();
    assert_eq!(
        (read.header("access-control-allow-origin"), read.header("access-control-expose-headers")),
        ("https://a.test", "ETag")
    );
    assert_eq!(world.s3(&world.olga, &call("DELETE", "/trial").query("cors", "")).await.status, 204);
    world.s3(&world.olga, &call("GET", "/trial").query("cors", "")).await.expect(404, "NoSuchCORSConfiguration");
}

#[tokio::test]
async fn presigned_urls() {
    let world = World::new().await;
    put_one(&world, "/trial/key", "x").await;
    let url = world.presigned(&world.ann, &call("GET", "/trial/key"), 60);
    let read = world.raw("GET", &url, &[], "").await.ok();
    assert_eq!(read.text(), "x");
    let put = world.presigned(&world.ann, &call("PUT", "/trial/by-url"), 60);
    world.raw("PUT", &put, &[], "y").await.ok();
    let long = world.presigned(&world.ann, &call("GET", "/trial/key"), 604_801);
    assert_eq!(world.raw("GET", &long, &[], "").await.status, 400);
}

#[tokio::test]
async fn refused_operations_say_why() {
    let world = World::new().await;
    for (method, name, code) in
        [("DELETE", "ownershipControls", "NotImplemented"), ("DELETE", "publicAccessBlock", "NotImplemented")]
    {
        let reply = world.s3(&world.olga, &call(method, "/trial").query(name, "").body("<x/>")).await;
        assert_eq!(reply.code(), code, "{method} {name}: {}", reply.text());
        assert!(reply.element("Message").unwrap().contains("refused"), "{}", reply.text());
    }
}

#[tokio::test]
async fn everything_else_is_not_implemented() {
    let world = World::new().await;
    for (method, path, name) in [
        ("PUT", "/trial", "lifecycle"),
        ("PUT", "/trial", "replication"),
        ("PUT", "/trial", "notification"),
        ("PUT", "/trial", "website"),
        ("PUT", "/trial", "logging"),
        ("PUT", "/trial", "object-lock"),
        ("PUT", "/trial", "tagging"),
        ("POST", "/trial/key", "restore"),
        ("GET", "/trial/key", "torrent"),
        ("PUT", "/trial/key", "retention"),
        ("PUT", "/trial/key", "legal-hold"),
        ("GET", "/trial", "session"),
    ] {
        let reply = world.s3(&world.ann, &call(method, path).query(name, "").body("<x/>")).await;
        reply.expect(501, "NotImplemented");
    }
    let lock = call("PUT", "/trial/key").header("x-amz-object-lock-mode", "COMPLIANCE").body("x");
    let reply = world.s3(&world.ann, &lock).await;
    reply.expect(501, "NotImplemented");
    assert!(reply.element("Message").unwrap().contains("x-amz-object-lock-mode"), "{}", reply.text());
}

#[tokio::test]
async fn counters_are_registered() {
    let world = World::new().await;
    put_one(&world, "/trial/a", "12345").await;
    let text = world.metrics();
    assert!(text.contains("aws_requests_total{service=\"s3\",operation=\"PutObject\",status=\"2xx\"} 1"), "{text}");
    assert!(text.contains("aws_object_bytes_in_total 5"), "{text}");
}
