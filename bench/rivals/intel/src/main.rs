// SPDX-License-Identifier: Apache-2.0
// rival-intel bench QUOTE COLLATERAL TIME   microseconds of one verification by dcap-qvl: the least of many
// rival-intel judge COLLATERAL TIME         reads names of quotes, a line each; answers a line each:
//                                           the TCB status, or "refused: why"
// COLLATERAL is a folder with the files of one case, as the samples have them.
use dcap_qvl::{verify::ring, QuoteCollateralV3};
use std::{fs, io::BufRead, time::Instant};

fn read(dir: &str, name: &str) -> Vec<u8> {
    fs::read(format!("{dir}/{name}")).unwrap_or_else(|e| panic!("{dir}/{name}: {e}"))
}

// {"member":{...},"signature":"hex"}: the exact bytes of the inner object, and the signature.
fn signed(dir: &str, name: &str, member: &str) -> (String, Vec<u8>) {
    let text = String::from_utf8(read(dir, name)).unwrap();
    let start = text.find(&format!("\"{member}\"")).unwrap() + member.len() + 2;
    let start = start + text[start..].find('{').unwrap();
    let end = text.rfind("\"signature\"").unwrap();
    let end = start + text[start..end].rfind('}').unwrap() + 1;
    let whole: serde_json::Value = serde_json::from_str(&text).unwrap();
    let sig = hex::decode(whole["signature"].as_str().unwrap()).unwrap();
    (text[start..end].to_string(), sig)
}

fn collateral(dir: &str) -> QuoteCollateralV3 {
    let (tcb_info, tcb_info_signature) = signed(dir, "tcb_info.json", "tcbInfo");
    let (qe_identity, qe_identity_signature) = signed(dir, "qe_identity.json", "enclaveIdentity");
    let text = |name| String::from_utf8(read(dir, name)).unwrap();
    QuoteCollateralV3 {
        pck_crl_issuer_chain: text("pck_crl_issuer_chain.pem"),
        root_ca_crl: read(dir, "root_ca_crl.der"),
        pck_crl: read(dir, "pck_crl.der"),
        tcb_info_issuer_chain: text("tcb_signing_chain.pem"),
        tcb_info,
        tcb_info_signature,
        qe_identity_issuer_chain: text("tcb_signing_chain.pem"),
        qe_identity,
        qe_identity_signature,
        pck_certificate_chain: None,
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("bench") if args.len() == 5 => {
            let quote = fs::read(&args[2]).unwrap();
            let c = collateral(&args[3]);
            let now: u64 = args[4].parse().unwrap();
            let mut best = f64::MAX;
            for _ in 0..400 {
                let start = Instant::now();
                ring::verify(&quote, &c, now).expect("accepted");
                best = best.min(start.elapsed().as_secs_f64() * 1e6);
            }
            println!("{best:.1}");
        }
        Some("judge") if args.len() == 4 => {
            let c = collateral(&args[2]);
            let now: u64 = args[3].parse().unwrap();
            for line in std::io::stdin().lock().lines() {
                match ring::verify(&fs::read(line.unwrap()).unwrap(), &c, now) {
                    Ok(r) => println!("{}", r.status),
                    Err(e) => println!("refused: {}", format!("{e:#}").replace(char::is_whitespace, " ")),
                }
            }
        }
        _ => {
            eprintln!("usage: rival-intel bench QUOTE COLLATERAL TIME | judge COLLATERAL TIME");
            std::process::exit(2);
        }
    }
}
