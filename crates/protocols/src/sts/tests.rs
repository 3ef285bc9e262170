//! Requests parse or say why not; answers are the documents that SDKs expect.

use base::Secret;

use super::*;

const HEAD: &str = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A000000000042%3Arole%2Fanalyst";

fn parse(text: &str) -> Result<Request, Fault> {
    Request::parse(Form::parse(text.as_bytes())?)
}

fn assume(extra: &str) -> Result<AssumeRole, Fault> {
    match parse(&format!("{HEAD}&RoleSessionName=ann{extra}"))? {
        Request::AssumeRole(request) => Ok(request),
        _ => panic!("another operation"),
    }
}

fn refused(extra: &str) -> Fault {
    assume(extra).err().unwrap()
}

#[test]
fn assume_role_is_read_whole() {
    let request = assume(
        "&SourceIdentity=ann%40example.com&DurationSeconds=900&Policy=%7B%7D&ExternalId=x%2Fy\
         &Tags.member.7.Key=Team&Tags.member.7.Value=bio+stats&Tags.member.2.Key=Cost&Tags.member.2.Value=\
         &TransitiveTagKeys.member.1=team&PolicyArns.member.3.arn=arn%3Aaws%3Aiam%3A%3A000000000042%3Apolicy%2Fp",
    )
    .unwrap();
    assert_eq!(request.session.role_arn.as_str(), "arn:aws:iam::000000000042:role/analyst");
    assert_eq!(request.role_session_name, "ann");
    assert_eq!(request.source_identity.unwrap().as_str(), "ann@example.com");
    assert_eq!(request.session.duration_seconds, Some(900));
    assert_eq!(request.session.policy.as_deref(), Some("{}"));
    assert_eq!(request.session.policy_arns.len(), 1);
    let tags: Vec<(&str, &str)> = request.tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
    assert_eq!(tags, [("Cost", ""), ("Team", "bio stats")]);
    assert_eq!(request.transitive_tag_keys, ["team"]);
}

#[test]
fn empty_lists_of_query_clients_are_empty() {
    let request = assume("&Tags=&PolicyArns=&TransitiveTagKeys=").unwrap();
    assert!(request.tags.is_empty() && request.session.policy_arns.is_empty());
}

#[test]
fn every_limit_answers_validation_error() {
    let long = |n: usize| "x".repeat(n);
    for extra in [
        "&DurationSeconds=899".to_owned(),
        "&DurationSeconds=43201".into(),
        "&DurationSeconds=-1".into(),
        "&DurationSeconds=1e3".into(),
        "&DurationSeconds=".into(),
        "&SourceIdentity=a".into(),
        "&SourceIdentity=aws%3Aann".into(),
        "&SourceIdentity=a%2Ab".into(),
        format!("&SourceIdentity={}", long(65)),
        "&ExternalId=a".into(),
        format!("&ExternalId={}", long(1225)),
        "&Policy=".into(),
        format!("&Policy={}", long(2049)),
        "&Policy=%E2%82%AC".into(),
        "&Tags.member.1.Key=a".into(),
        "&Tags.member.1.Value=a".into(),
        "&Tags.member.1.Key=&Tags.member.1.Value=a".into(),
        format!("&Tags.member.1.Key={}&Tags.member.1.Value=a", long(129)),
        format!("&Tags.member.1.Key=k&Tags.member.1.Value={}", long(257)),
        "&Tags.member.1.Key=AWS%3Ax&Tags.member.1.Value=a".into(),
        "&Tags.member.1.Key=a%2A&Tags.member.1.Value=a".into(),
        "&Tags.member.1.Key=a&Tags.member.1.Value=a%0A".into(),
        "&Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=A&Tags.member.2.Value=2".into(),
        "&Tags.member.0.Key=a&Tags.member.0.Value=a".into(),
        "&Tags.member.01.Key=a&Tags.member.01.Value=a".into(),
        "&Tags.member.9999999999.Key=a&Tags.member.9999999999.Value=a".into(),
        "&Tags.member.1.Kex=a".into(),
        "&TransitiveTagKeys.member.1=absent".into(),
        "&PolicyArns.member.1.arn=short".into(),
        "&SerialNumber=arn&TokenCode=123456".into(),
        "&ProvidedContexts.member.1.ProviderArn=x".into(),
        "&Unheard=of".into(),
        "&RoleArn.x=1".into(),
        "&MinimumSessionTokenSize=4097".into(),
    ] {
        assert_eq!(refused(&extra).code, Code::ValidationError, "{extra}");
    }
    let many: String = (1..=51).map(|n| format!("&Tags.member.{n}.Key=k{n}&Tags.member.{n}.Value=v")).collect();
    assert_eq!(refused(&many).code, Code::ValidationError);
    let fifty: String = (1..=50).map(|n| format!("&Tags.member.{n}.Key=k{n}&Tags.member.{n}.Value=v")).collect();
    assert_eq!(assume(&fifty).unwrap().tags.len(), 50);
}

#[test]
fn messages_are_in_the_words_of_aws() {
    let fault = parse(&format!("{HEAD}&RoleSessionName=a")).err().unwrap();
    assert_eq!(
        fault.message,
        "1 validation error detected: Value 'a' at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2"
    );
    let fault = parse(HEAD).err().unwrap();
    assert!(fault.message.contains("Value null at 'roleSessionName'"), "{fault}");
}

#[test]
fn malformed_forms_are_refused() {
    for bad in ["a=%", "a=%4", "a=%zz", "a=%ff", "a=%00", "a=1&a=2", "a=1&%61=2", "\0=1"] {
        assert_eq!(Form::parse(bad.as_bytes()).err().unwrap().code, Code::MalformedQueryString, "{bad:?}");
    }
    assert_eq!(Form::parse(b"a=\xff").err().unwrap().code, Code::MalformedQueryString);
    let wide: String = (0..=PARAMETERS_MAX).map(|n| format!("p{n}=1&")).collect();
    assert_eq!(Form::parse(wide.as_bytes()).err().unwrap().code, Code::MalformedQueryString);
    let long = vec![b'a'; BODY_BYTES_MAX + 1];
    assert_eq!(Form::parse(&long).err().unwrap().code, Code::RequestEntityTooLarge);
}

#[test]
fn unknown_and_refused_operations_say_so() {
    let code = |text: &str| parse(text).err().unwrap();
    let refused = code("Action=GetSessionToken&Version=2011-06-15");
    assert_eq!(refused.code, Code::InvalidAction);
    assert!(refused.message.contains("AssumeRoleWithWebIdentity"), "{refused}");
    assert!(code("Action=Nope&Version=2011-06-15").message.contains("`Nope`"));
    assert_eq!(code("Action=GetCallerIdentity&Version=2010-01-01").code, Code::InvalidAction);
    assert_eq!(code("Action=GetCallerIdentity").code, Code::InvalidAction);
    assert_eq!(code("Version=2011-06-15").code, Code::InvalidAction);
}

#[test]
fn a_presigned_query_leaves_its_signature_out() {
    let query = b"Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Signature=ab&X-Amz-Date=20261121T000000Z";
    assert!(matches!(Request::parse(Form::parse_presigned(query).unwrap()), Ok(Request::GetCallerIdentity)));
    assert!(Request::parse(Form::parse(query).unwrap()).is_err());
}

#[test]
fn a_bad_token_is_not_repeated() {
    let text = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A000000000042%3Arole%2Fx&RoleSessionName=ann&WebIdentityToken=";
    let fault = parse(&format!("{text}sec")).err().unwrap();
    assert!(!fault.message.contains("sec'"), "{fault}");
    for end in ["", "%0A", "%0D%0A"] {
        // SDKs send the whole file that the token was written to.
        let Ok(Request::AssumeRoleWithWebIdentity(read)) = parse(&format!("{text}secret{end}")) else {
            panic!("{end}")
        };
        assert_eq!(read.token, "secret", "{end}");
    }
}

#[test]
fn saml_is_parsed_so_that_it_can_be_refused() {
    let text = "Action=AssumeRoleWithSAML&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A000000000042%3Arole%2Fx&PrincipalArn=arn%3Aaws%3Aiam%3A%3A000000000042%3Asaml-provider%2Fx&SAMLAssertion=PGE%2B";
    assert!(matches!(parse(text), Ok(Request::AssumeRoleWithSaml(_))));
}

fn output() -> AssumeRoleOutput {
    AssumeRoleOutput {
        credentials: Credentials {
            access_key_id: "ASIA1".into(),
            secret_access_key: Secret::new("s/e+c".into()),
            session_token: Secret::new("tok==".into()),
            expiration: "2026-11-21T20:00:00.9Z".parse().unwrap(),
        },
        user: AssumedRoleUser { assumed_role_id: "AROA1:ann".into(), arn: "arn:aws:sts::1:assumed-role/x/ann".into() },
        packed_percent: Some(6),
        source_identity: Some("ann".into()),
    }
}

#[test]
fn answers_are_the_documents_of_the_service_model() {
    assert_eq!(
        Response::AssumeRole(output()).to_xml("r-1"),
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s/e+c</SecretAccessKey><SessionToken>tok==</SessionToken>\
         <Expiration>2026-11-21T20:00:00Z</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROA1:ann</AssumedRoleId>\
         <Arn>arn:aws:sts::1:assumed-role/x/ann</Arn></AssumedRoleUser><PackedPolicySize>6</PackedPolicySize>\
         <SourceIdentity>ann</SourceIdentity></AssumeRoleResult><ResponseMetadata><RequestId>r-1</RequestId>\
         </ResponseMetadata></AssumeRoleResponse>"
    );
    let web = AssumeRoleWithWebIdentityOutput {
        session: output(),
        subject: "sub".into(),
        provider: "http://127.0.0.1:1".into(),
        audience: "galen-cli".into(),
    };
    let text = Response::AssumeRoleWithWebIdentity(web).to_xml("r");
    assert!(text.contains("<SubjectFromWebIdentityToken>sub</SubjectFromWebIdentityToken><Provider>http://127.0.0.1:1</Provider><Audience>galen-cli</Audience></AssumeRoleWithWebIdentityResult>"));
    let who = CallerIdentity { arn: "a".into(), user_id: "u".into(), account: "000000000042".into() };
    assert!(
        Response::CallerIdentity(who)
            .to_xml("r")
            .contains("<Arn>a</Arn><UserId>u</UserId><Account>000000000042</Account>")
    );
}

#[test]
fn input_in_an_error_cannot_become_markup() {
    let text = Fault::invalid("<b>&\u{1}\"'").to_xml("r<");
    assert!(text.contains("<Message>&lt;b&gt;&amp;\u{fffd}&quot;&apos;</Message>"), "{text}");
    assert!(text.contains("<RequestId>r&lt;</RequestId>"));
    assert!(text.contains("<Type>Sender</Type>"));
    assert!(Fault::new(Code::InternalFailure, "x").to_xml("r").contains("<Type>Receiver</Type>"));
}

/// Fuzz replay: mutations of a request never panic, and what parses keeps its limits.
#[test]
fn mutations_never_break_a_limit() {
    let seed = format!(
        "{HEAD}&RoleSessionName=ann&Tags.member.1.Key=Team&Tags.member.1.Value=x&TransitiveTagKeys.member.1=Team&DurationSeconds=3600&Policy=%7B%7D"
    );
    let mut state = 0x0123_4567_89ab_cdef_u64;
    for _ in 0..20_000 {
        let mut bytes = seed.clone().into_bytes();
        for _ in 0..4 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let place = usize::try_from(state >> 32).unwrap() % bytes.len();
            let byte = u8::try_from(state >> 8 & 0xff).unwrap();
            match state % 4 {
                0 => drop(bytes.remove(place)),
                1 => bytes.insert(place, byte),
                2 => bytes[place] = b"%&=+.0"[usize::from(byte) % 6],
                _ => bytes[place] = byte,
            }
        }
        if let Ok(Request::AssumeRole(request)) = Form::parse(&bytes).and_then(Request::parse) {
            assert!((2..=64).contains(&request.role_session_name.len()));
            assert!(request.session.duration_seconds.is_none_or(|n| (900..=43_200).contains(&n)));
            assert!(request.tags.len() <= TAGS_MAX);
        }
    }
}
