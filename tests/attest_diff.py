#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""attest_diff.py SOUK RIVAL SAMPLES [N [SEED]] - the verifier beside another one on the same quotes.

Takes every SGX and TDX sample with collateral, as it is and in N random mutations (bits, bytes, cuts,
growth, certificates moved), lets both judge and compares: refused for its cryptography or its form, or
the TCB status. Disagreements are counted by what was changed and by what each side says; those that
tests/attest_diff.md explains are named there. Ends with "N compared, M unexplained"."""
import json, os, pathlib, random, re, subprocess, sys, tempfile

PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.S)


def mutate(rng, quote):
    """(name of the kind of change, changed quote)"""
    q = bytearray(quote)
    kind = rng.choice(["bit", "bit", "bit", "byte", "cut", "grow", "zeroes", "length", "order"])
    if kind == "bit":
        at = rng.randrange(len(q) * 8)
        q[at // 8] ^= 1 << at % 8
    elif kind == "byte":
        q[rng.randrange(len(q))] = rng.randrange(256)
    elif kind == "cut":
        del q[rng.randrange(60, len(q)):]
    elif kind == "grow":
        q += bytes([rng.randrange(1, 256)]) * rng.randrange(1, 40)
    elif kind == "zeroes":
        q += bytes(rng.randrange(1, 40))
    elif kind == "length":
        at = q.find(b"-----BEGIN") - 4
        q[at + rng.randrange(4)] = rng.randrange(256)
    else:
        certs = PEM.findall(quote)
        if len(certs) != 3:
            return "none", quote
        moved = certs[:]
        rng.shuffle(moved)
        q = quote.replace(b"".join(certs), b"".join(moved))
    return kind, bytes(q)


def where(quote, changed):
    """Which part the first changed byte is in."""
    at = next((i for i, (a, b) in enumerate(zip(quote, changed)) if a != b), None)
    if at is None:
        return "behind" if len(changed) >= len(quote) else "cut"
    version = int.from_bytes(quote[:2], "little")
    tdx = version > 3 and quote[4] == 0x81
    body = 48 + (384 if not tdx else 584)
    if version == 5:
        body = 54 + int.from_bytes(quote[50:54], "little")
    pem = quote.find(b"-----BEGIN")
    if at >= pem:
        for i, m in enumerate(PEM.finditer(quote)):
            if m.start() <= at < m.end():
                return "certificate %d" % (i + 1)
        return "behind the certificates"
    return "header" if at < 48 else "body" if at < body else "signature data"


def ours(souk, path, folder, at):
    r = subprocess.run([souk, "attest", "verify", path, "--collateral", folder, "--at", str(at), "--json"],
                       capture_output=True, text=True, check=False)
    v = json.loads(r.stdout)
    broken = [(n, l) for n, l in v["links"].items() if l["state"] in ("failed", "missing")]
    hard = [(n, l) for n, l in broken if n != "policy" and l["code"] != "tcb-status"]
    if hard:
        return "refused", "%s: %s" % (hard[0][0], hard[0][1]["reason"])
    return v["tcb"], ""


def rival(program, paths, folder, at):
    r = subprocess.run([program, "judge", folder, str(at)], input="\n".join(paths) + "\n",
                       capture_output=True, text=True, check=True)
    return [("refused", l[9:]) if l.startswith("refused") else (l, "") for l in r.stdout.splitlines()]


# What is known, and why: attest_diff.md.
def explained(part, a, b, b_why):
    """The rule that explains the disagreement, or None."""
    if b == "refused" and a[0] != "refused":
        if a[0] == "NotSupported" and "No matching TCB level" in b_why:
            return "D1 no level fits"
        if part.startswith("certificate") or part == "order":
            return "D3 certificates are linked by name, not by place"
        if "Debug mode" in b_why or "SEPT_VE_DISABLE" in b_why:
            return "D4 attributes are policy"
        if "missing field `sgxtcbcomponents`" in b_why:
            return "D5 TCB info version 2"
    if a[0] == "refused" and b != "refused":
        if part == "certificate 3":
            return "D2 root inside the quote"
        if "bytes behind" in a[1]:
            return "D6 bytes behind the quote"
    return None


def main():
    souk, program, samples = sys.argv[1:4]
    n = int(sys.argv[4]) if len(sys.argv) > 4 else 20
    rng = random.Random(int(sys.argv[5]) if len(sys.argv) > 5 else 1)
    compared, unexplained, known = 0, 0, {}
    for f in sorted(pathlib.Path(samples).glob("[st][gd]x/*/*/expected.json")):
        case = next((c for c in json.loads(f.read_text())["cases"] if c.get("collateral") == "set1"), None)
        if case is None or not (f.parent / "tcb_info.json").exists():
            continue
        quote = (f.parent / "quote.bin").read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            for x in f.parent.iterdir():
                if ".2." not in x.name and x.name not in ("quote.bin", "expected.json"):
                    (pathlib.Path(folder) / x.name).write_bytes(x.read_bytes())
            at = subprocess.run(["date", "-u", "-d", case["time"], "+%s"], capture_output=True, text=True,
                                check=True).stdout.strip()
            tries = [("none", quote)] + [mutate(rng, quote) for _ in range(n)]
            with tempfile.TemporaryDirectory() as quotes:
                paths = []
                for i, (_, q) in enumerate(tries):
                    paths.append(os.path.join(quotes, str(i)))
                    pathlib.Path(paths[-1]).write_bytes(q)
                theirs = rival(program, paths, folder, at)
                for (kind, q), path, (b, b_why) in zip(tries, paths, theirs):
                    a = ours(souk, path, folder, at)
                    compared += 1
                    if a[0] == b:
                        continue
                    part = kind if kind in ("none", "order", "cut", "grow", "zeroes") else where(quote, q)
                    rule = explained(part, a, b, b_why)
                    if rule:
                        known[rule] = known.get(rule, 0) + 1
                        continue
                    unexplained += 1
                    print("%s: %s in %s: ours %s %s, theirs %s %s" %
                          (f.parent.name, kind, part, a[0], a[1], b, b_why))
    for rule in sorted(known):
        print("%5d  %s" % (known[rule], rule))
    print("%d compared, %d unexplained" % (compared, unexplained))
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
