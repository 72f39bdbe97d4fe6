/* SPDX-License-Identifier: Apache-2.0 */
#include "io/opts.h"

#include <stdio.h>

#include "base/buf.h"
#include "io/file.h"
#include "io/json.h"

#define CONFIG_MAX ((size_t)1 << 20)
#define HELP_COL   26 /* where the explanations begin */
#define HELP_WIDTH 96

/* A scaled decimal number: digits, then a unit of the list ("k" 1024, …). */
struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit NO_UNITS[] = {{NULL, 0}};
static const struct unit SIZES[] = {{"k", 1U << 10}, {"m", 1U << 20}, {"g", 1U << 30}, {NULL, 0}};
static const struct unit TIMES[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};

static bool parse_number(uint64_t *out, const char *s, const struct unit *units)
{
    uint64_t v = 0;
    const char *p = s;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(v, 10U, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v)) {
            return false;
        }
    }
    if (p == s) {
        return false;
    }
    while (*p != 0 && units->name != NULL && strcmp(units->name, p) != 0) {
        units++;
    }
    if (*p != 0 && (units->name == NULL || __builtin_mul_overflow(v, units->factor, &v))) {
        return false;
    }
    *out = v;
    return true;
}

static rc set_number(const struct opt *o, uint8_t *field, const char *text, struct err *e)
{
    uint64_t v;
    const struct unit *units = o->type == OPT_SIZE ? SIZES : o->type == OPT_MS ? TIMES : NO_UNITS;
    if (!parse_number(&v, text, units)) {
        return err_set(e, RC_CODE_MALFORMED, "--%s: '%.60s' is not a %s", o->name, text,
                       o->type == OPT_SIZE ? "size, as 512k"
                       : o->type == OPT_MS ? "time, as 500ms or 2s"
                                           : "number");
    }
    if (v < o->min || (o->max != 0 && v > o->max)) {
        return err_set(e, RC_CODE_MALFORMED, "--%s: %llu is outside %llu to %llu", o->name,
                       (unsigned long long)v, (unsigned long long)o->min,
                       (unsigned long long)(o->max == 0 ? UINT64_MAX : o->max));
    }
    memcpy(field, &v, sizeof(v));
    return RC_OK;
}

static rc set_text(const struct opt *o, void *into, const char *text, struct arena *a,
                   struct err *e)
{
    uint8_t *field = (uint8_t *)into + o->offset;
    size_t n = strlen(text);
    char *copy;
    switch (o->type) {
    case OPT_U64:
    case OPT_SIZE:
    case OPT_MS:
        return set_number(o, field, text, e);
    case OPT_FLAG:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
            return err_set(e, RC_CODE_MALFORMED, "--%s takes no value", o->name);
        }
        *(bool *)field = text[0] == 't';
        return RC_OK;
    case OPT_STR:
    case OPT_LIST:
        copy = arena_alloc(a, n + 1);
        if (copy == NULL) {
            return err_set(e, RC_CODE_LIMIT, "--%s: the text is too long", o->name);
        }
        memcpy(copy, text, n);
        if (o->type == OPT_STR) {
            memcpy(field, &copy, sizeof(copy));
            return RC_OK;
        }
        struct opt_list *list = (struct opt_list *)(void *)field;
        if (list->n == OPT_LIST_MAX) {
            return err_set(e, RC_CODE_LIMIT, "--%s: more than %d times", o->name, OPT_LIST_MAX);
        }
        list->v[list->n++] = copy;
        return RC_OK;
    }
    return RC_OK;
}

static const struct opt *find(const struct opts *o, const char *name, size_t n)
{
    for (const struct opt *t = o->table; t->name != NULL; t++) {
        if (strlen(t->name) == n && memcmp(t->name, name, n) == 0) {
            return t;
        }
    }
    return NULL;
}

/* --- config file: {"name": value, …}; numbers, booleans, strings, arrays of strings --- */

static rc set_json(const struct opt *t, void *into, const struct js *v, struct arena *a,
                   struct err *e)
{
    char num[24];
    if (t->type == OPT_LIST && json_is_array(v->v)) {
        for (size_t i = 0; i < js_n(v); i++) {
            struct js x = js_at(v, i);
            const char *s;
            TRY(js_str(&s, &x, e));
            TRY(set_text(t, into, s, a, e));
        }
        return RC_OK;
    }
    if (json_is_boolean(v->v)) {
        return set_text(t, into, json_is_true(v->v) ? "true" : "false", a, e);
    }
    if (json_is_integer(v->v)) {
        uint64_t u;
        TRY(js_u64(&u, v, UINT64_MAX, e));
        (void)snprintf(num, sizeof(num), "%llu", (unsigned long long)u);
        return set_text(t, into, num, a, e);
    }
    const char *s;
    TRY(js_str(&s, v, e));
    return set_text(t, into, s, a, e);
}

static rc read_config(const struct opts *o, void *into, const char *path, struct arena *a,
                      struct err *e)
{
    BUF_FREE text = buf_new(CONFIG_MAX);
    TRY(file_read(&text, path, e));
    JSON_FREE *v = json_parse(buf_bytes(&text), JSON_DEPTH_MAX, e);
    if (v == NULL) {
        return err_wrap(e, RC(MALFORMED), "%s", path);
    }
    struct js top = js_top(v);
    TRY(js_object(&top, e));
    const char *key;
    json_t *value;
    json_object_foreach(v, key, value)
    {
        const struct opt *t = find(o, key, strlen(key));
        if (t == NULL) {
            return err_set(e, RC_CODE_MALFORMED, "%s: there is no option '%.60s'", path, key);
        }
        struct js x = js_key(&top, key);
        rc r = set_json(t, into, &x, a, e);
        if (!rc_ok(r)) {
            return err_wrap(e, r, "%s", path);
        }
    }
    return RC_OK;
}

/* --- command line --- */

/* --name value, --name=value, --flag, --no-flag; *i is moved past a value. */
static rc set_arg(const struct opts *o, void *into, int argc, char **argv, int *i, struct arena *a,
                  struct err *e)
{
    const char *name = argv[*i] + 2;
    const char *eq = strchr(name, '=');
    size_t n = eq == NULL ? strlen(name) : (size_t)(eq - name);
    const struct opt *t = find(o, name, n);
    if (t == NULL && n > 3 && strncmp(name, "no-", 3) == 0 && eq == NULL) {
        t = find(o, name + 3, n - 3);
        if (t != NULL && t->type == OPT_FLAG) {
            return set_text(t, into, "false", a, e);
        }
        t = NULL;
    }
    if (t == NULL) {
        return err_set(e, RC_CODE_MALFORMED, "there is no option --%.*s", (int)MIN(n, (size_t)60),
                       name);
    }
    if (t->type == OPT_FLAG) {
        return set_text(t, into, eq == NULL ? "true" : eq + 1, a, e);
    }
    if (eq == NULL && *i + 1 >= argc) {
        return err_set(e, RC_CODE_MALFORMED, "--%s needs a value: --%s %s", t->name, t->name,
                       t->arg == NULL ? "VALUE" : t->arg);
    }
    return set_text(t, into, eq == NULL ? argv[++*i] : eq + 1, a, e);
}

static bool takes_value(const struct opts *o, const char *arg)
{
    const struct opt *t = find(o, arg + 2, strlen(arg + 2));
    return t != NULL && t->type != OPT_FLAG;
}

/* First pass: --help, and --config FILE, which the command line overrides. */
static rc look_ahead(const struct opts *o, int argc, char **argv, bool *help, const char **config,
                     struct err *e)
{
    *help = false;
    *config = NULL;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            *help = true;
        } else if (strcmp(argv[i], "--config") == 0) {
            if (i + 1 >= argc) {
                return err_set(e, RC_CODE_MALFORMED, "--config needs a value: --config FILE");
            }
            *config = argv[++i];
        } else if (strncmp(argv[i], "--config=", 9) == 0) {
            *config = argv[i] + 9;
        } else if (strncmp(argv[i], "--", 2) == 0 && takes_value(o, argv[i])) {
            i++;
        }
    }
    return RC_OK;
}

/* Lists given by a later source replace those of an earlier one. */
static void clear_lists(const struct opts *o, void *into, const char *const *set, size_t n)
{
    for (const struct opt *t = o->table; t->name != NULL; t++) {
        for (size_t i = 0; i < n && t->type == OPT_LIST; i++) {
            if (strcmp(set[i], t->name) == 0) {
                ((struct opt_list *)(void *)((uint8_t *)into + t->offset))->n = 0;
            }
        }
    }
}

rc opts_read(const struct opts *o, void *into, struct opts_rest *rest, bool *help, int argc,
             char **argv, struct arena *a, struct err *e)
{
    const char *config;
    TRY(look_ahead(o, argc, argv, help, &config, e));
    if (*help) {
        return RC_OK;
    }
    for (const struct opt *t = o->table; t->name != NULL; t++) {
        if (t->def != NULL) {
            TRY(set_text(t, into, t->def, a, e));
        }
    }
    if (config != NULL) {
        TRY(read_config(o, into, config, a, e));
    }
    const char **words = ARENA_ARRAY(a, const char *, (size_t)argc + 1);
    const char **given = ARENA_ARRAY(a, const char *, (size_t)argc + 1);
    if (words == NULL || given == NULL) {
        return err_set(e, RC_CODE_LIMIT, "too many arguments");
    }
    size_t n = 0;
    size_t given_n = 0;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0 && argv[i][2] != 0) {
            given[given_n++] = argv[i] + 2;
        }
    }
    clear_lists(o, into, given, given_n);
    bool only_words = false;
    for (int i = 1; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && strcmp(argv[i], "--config") == 0) {
            i++;
        } else if (!only_words && strncmp(argv[i], "--config=", 9) == 0) {
            continue;
        } else if (!only_words && strncmp(argv[i], "--", 2) == 0) {
            TRY(set_arg(o, into, argc, argv, &i, a, e));
        } else {
            words[n++] = argv[i];
        }
    }
    if (n < o->args_min || n > o->args_max) {
        return n > o->args_max ? err_set(e, RC_CODE_MALFORMED, "unexpected argument '%.60s'",
                                         words[o->args_max])
                               : err_set(e, RC_CODE_MALFORMED, "an argument is missing: %s",
                                         o->args == NULL ? "" : o->args);
    }
    if (rest != NULL) {
        *rest = (struct opts_rest){words, n};
    }
    return RC_OK;
}

/* --- help --- */

/* Text wrapped between HELP_COL and HELP_WIDTH. */
static void put_wrapped(struct buf *b, const char *text)
{
    size_t col = HELP_COL;
    while (*text != 0) {
        size_t n = strcspn(text, " ");
        if (col > HELP_COL && col + 1 + n > HELP_WIDTH) {
            put_fmt(b, "\n%*s", HELP_COL, "");
            col = HELP_COL;
        } else if (col > HELP_COL) {
            put_u8(b, ' ');
            col++;
        }
        put_mem(b, text, n);
        col += n;
        text += n + (text[n] == ' ' ? 1 : 0);
    }
    put_str(b, "\n");
}

/* A bound in the unit it would be typed in. */
static void put_bound(struct buf *b, const struct opt *t, uint64_t v)
{
    const struct unit *units = t->type == OPT_SIZE ? SIZES : t->type == OPT_MS ? TIMES : NO_UNITS;
    const struct unit *best = NULL;
    for (const struct unit *u = units; u->name != NULL; u++) {
        if (v != 0 && v % u->factor == 0) {
            best = u;
        }
    }
    put_fmt(b, "%llu%s", (unsigned long long)(best == NULL ? v : v / best->factor),
            best == NULL ? "" : best->name);
}

static void put_row(struct buf *b, const char *name, const char *arg, const char *help)
{
    char left[80];
    int n = snprintf(left, sizeof(left), "  --%s%s%s", name, arg == NULL ? "" : " ",
                     arg == NULL ? "" : arg);
    if (n >= HELP_COL - 1) {
        put_fmt(b, "%s\n%*s", left, HELP_COL, "");
    } else {
        put_fmt(b, "%-*s", HELP_COL, left);
    }
    put_wrapped(b, help);
}

void opts_help(struct buf *b, const struct opts *o)
{
    put_fmt(b, "souk %s - %s\n\nusage: souk %s [options]%s%s\n\noptions:\n", o->command, o->summary,
            o->command, o->args == NULL ? "" : " ", o->args == NULL ? "" : o->args);
    for (const struct opt *t = o->table; t->name != NULL; t++) {
        BUF_FREE text = buf_new(4096);
        put_str(&text, t->help);
        if (t->type == OPT_LIST) {
            put_str(&text, " (may be repeated)");
        }
        if (t->max != 0) {
            put_str(&text, " (");
            put_bound(&text, t, t->min);
            put_str(&text, " to ");
            put_bound(&text, t, t->max);
            put_str(&text, ")");
        }
        if (t->def != NULL && strcmp(t->def, "false") != 0) {
            put_fmt(&text, " [%s]", t->def);
        }
        put_row(b, t->name,
                t->type == OPT_FLAG ? NULL
                : t->arg == NULL    ? "VALUE"
                                    : t->arg,
                buf_cstr(&text));
    }
    put_row(b, "config", "FILE",
            "options from a JSON object, {\"name\": value}; the command line wins");
    put_row(b, "help", NULL, "this text");
    if (o->example != NULL) {
        put_fmt(b, "\nexample:\n%s\n", o->example);
    }
}

enum opts_what opts_parse(const struct opts *o, void *into, struct opts_rest *rest, int argc,
                          char **argv, struct arena *a)
{
    struct err e;
    bool help;
    rc r = opts_read(o, into, rest, &help, argc, argv, a, &e);
    if (!rc_ok(r)) {
        (void)fprintf(stderr, "souk %s: %s\nsouk %s --help explains all options\n", o->command,
                      e.msg, o->command);
        return OPTS_BAD;
    }
    if (help) {
        BUF_FREE b = buf_new(BUF_CAP_DEFAULT);
        opts_help(&b, o);
        (void)fputs(buf_cstr(&b), stdout);
        return OPTS_DONE;
    }
    return OPTS_RUN;
}
