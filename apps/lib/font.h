/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_APPS_LIB_FONT_H
#define SOUK_APPS_LIB_FONT_H

/* font.h - a bitmap font of five columns by seven rows for the printable ASCII characters. */

#include "base/base.h"

#define FONT_COLS 5
#define FONT_ROWS 7

/* Five columns from the left, bit 0 at the top; a box for what is not printable ASCII. */
const uint8_t *font_glyph(uint8_t c);

#endif /* SOUK_APPS_LIB_FONT_H */
