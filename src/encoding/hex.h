/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ENCODING_HEX_H
#define SOUK_ENCODING_HEX_H

/* hex.h - hexadecimal text, with the conventions of Ethereum JSON-RPC: "0x" in front, bytes as an
 * even number of digits (DATA), numbers without leading zeros (QUANTITY), addresses with the case
 * checksum of EIP-55 on output and any case on input. */

#include "base/buf.h"
#include "base/u256.h"

void put_hex(struct buf *b, struct bytes v);  /* digits only, lower case */
void put_0x(struct buf *b, struct bytes v);   /* "0x" and digits */
void put_quantity(struct buf *b, uint64_t v); /* "0x0", "0x41" */
void put_quantity256(struct buf *b, struct u256 v);
void put_address(struct buf *b, struct address a); /* "0x" and EIP-55 checksum case */

#define HEX_ADDRESS_MAX 43 /* 0x, 40 digits, NUL */
#define HEX_HASH_MAX    67

char *hex_address(char out[HEX_ADDRESS_MAX], struct address a); /* EIP-55; returns out */
char *hex_hash(char out[HEX_HASH_MAX], struct hash h);          /* lower case; returns out */

/* Decodes digits with or without "0x", even count, any case; appends to out. MALFORMED otherwise. */
rc hex_decode(struct buf *out, struct bytes text);

/* The same into exactly n bytes: MALFORMED when the text has another length. */
rc hex_decode_exact(uint8_t *out, size_t n, struct bytes text);

rc hex_parse_address(struct address *out, const char *s); /* needs "0x", ignores the case */
rc hex_parse_hash(struct hash *out, const char *s);       /* needs "0x" */

/* QUANTITY: "0x" and 1..64 digits. Leading zeros are refused unless `loose`. */
rc hex_parse_quantity256(struct u256 *out, const char *s, bool loose);
rc hex_parse_quantity(uint64_t *out, const char *s, bool loose);

#endif /* SOUK_ENCODING_HEX_H */
