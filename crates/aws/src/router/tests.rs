//! The order of the router, one line a rule, and requests that try to be taken for another service.

use super::*;
use http::Request;

fn judge(request: http::request::Builder) -> Route {
    let (parts, ()) = request.body(()).unwrap().into_parts();
    route(&parts, &["s3.example.com".to_owned()])
}

fn signed(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=ASIAAAAAAAAAAAAAAAAA/20261121/eu-north-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

#[test]
fn a_watcher_is_answered_where_no_bucket_can_be_meant() {
    let get = |path: &str| Request::get(path).header("host", "s3.example.com");
    assert_eq!(judge(get("/livez")), Route::Watch(Probe::Live));
    assert_eq!(judge(get("/readyz")), Route::Watch(Probe::Ready));
    let signed = get("/livez").header("authorization", signed("s3"));
    let in_host = Request::get("/livez").header("host", "data.s3.example.com");
    let others = [get("/livez?policy"), get("/livez/"), get("/livez/key"), Request::put("/livez"), signed, in_host];
    for request in others {
        assert_eq!(judge(request), Route::S3);
    }
}

#[test]
fn a_bucket_in_the_host_comes_first() {
    let to = |host: &str| Request::post("/").header("host", host).header("authorization", signed("sts"));
    assert_eq!(judge(to("data.s3.example.com")), Route::S3);
    assert_eq!(judge(to("data.S3.example.com:9000")), Route::S3);
    assert_eq!(judge(to("s3.example.com")), Route::Sts);
    assert_eq!(judge(to("evils3.example.com")), Route::Sts);
    let preflight = Request::builder().method("OPTIONS").uri("/key").header("host", "data.s3.example.com");
    assert_eq!(judge(preflight), Route::Preflight);
}

#[test]
fn then_the_credential_scope() {
    let to = |service: &str| judge(Request::get("/x").header("authorization", signed(service)));
    assert_eq!(to("s3"), Route::S3);
    assert_eq!(to("sts"), Route::Sts);
    assert_eq!(to("glue"), Route::Unsupported { service: "glue".into(), json: true });
    assert_eq!(to("iam"), Route::Unsupported { service: "iam".into(), json: false });
    let of_4a = |service: &str| {
        let line = format!("AWS4-ECDSA-P256-SHA256 Credential=A/20261123/{service}/aws4_request, Signature=0");
        judge(Request::get("/x").header("authorization", line))
    };
    assert_eq!((of_4a("s3"), of_4a("sts")), (Route::S3, Route::Sts));
    assert_eq!(of_4a("glue"), Route::Unsupported { service: "glue".into(), json: true });
    let presigned =
        "/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Credential=ASIA%2F20261121%2Fr%2Fsts%2Faws4_request";
    assert_eq!(judge(Request::get(presigned)), Route::Sts);
    assert_eq!(judge(Request::get("/b/k?X-Amz-Credential=ASIA%2F20261121%2Fr%2Fs3%2Faws4_request")), Route::S3);
}

#[test]
fn then_the_target() {
    let target = Request::post("/").header("x-amz-target", "AWSGlue.GetTables");
    assert_eq!(judge(target), Route::Unsupported { service: "AWSGlue".into(), json: true });
}

#[test]
fn then_an_unsigned_form_to_the_root() {
    assert_eq!(judge(Request::post("/").header("content-type", FORM)), Route::Form);
    assert_eq!(judge(Request::post("/bucket").header("content-type", FORM)), Route::S3);
    assert_eq!(judge(Request::post("/").header("content-type", "multipart/form-data; boundary=x")), Route::S3);
    assert_eq!(judge(Request::get("/?Action=AssumeRoleWithWebIdentity&Version=2011-06-15")), Route::Sts);
    assert_eq!(judge(Request::get("/?Actions=x")), Route::S3);
    assert_eq!(judge(Request::get("/bucket?Action=AssumeRole")), Route::S3);
}

#[test]
fn then_preflight_and_the_rest_is_s3() {
    assert_eq!(judge(Request::options("/bucket/key")), Route::Preflight);
    assert_eq!(judge(Request::get("/")), Route::S3);
    assert_eq!(judge(Request::put("/bucket/key").header("authorization", "AWS AKID:sig")), Route::S3);
    assert_eq!(judge(Request::post("/").header("content-type", FORM).header("authorization", "AWS x:y")), Route::S3);
}
