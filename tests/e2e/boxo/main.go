// SPDX-License-Identifier: Apache-2.0

// A small importer on boxo, the Go library that IPFS nodes are made of: the rival and the yardstick
// of souk's content store.
//
//	boxo cid [-v 0|1] [-raw] [-chunk N] PATH...   one CID a line, of files and directories
//	boxo car-write PATH OUT                       imports PATH and writes its graph as CAR (go-car)
//	boxo car-read FILE                            checks every block of a CAR, prints roots and count
//	boxo bench DIR FILE SMALL                     JSON: MB/s of FILE, files/s of the folder SMALL
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/blockstore"
	chunker "github.com/ipfs/boxo/chunker"
	"github.com/ipfs/boxo/exchange/offline"
	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs/importer/balanced"
	"github.com/ipfs/boxo/ipld/unixfs/importer/helpers"
	uio "github.com/ipfs/boxo/ipld/unixfs/io"
	"github.com/ipfs/go-cid"
	ds "github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	ipld "github.com/ipfs/go-ipld-format"
	car "github.com/ipld/go-car/v2"
	carbs "github.com/ipld/go-car/v2/blockstore"
	mh "github.com/multiformats/go-multihash"
)

type importer struct {
	dag     ipld.DAGService
	version int
	raw     bool
	chunk   int64
}

func open(store ds.Batching, version int, raw bool, chunk int64) *importer {
	bs := blockstore.NewBlockstore(store, blockstore.NoPrefix())
	dag := merkledag.NewDAGService(blockservice.New(bs, offline.Exchange(bs)))
	return &importer{dag, version, raw, chunk}
}

func (im *importer) builder() cid.Builder {
	if im.version == 1 {
		return cid.V1Builder{Codec: cid.DagProtobuf, MhType: mh.SHA2_256}
	}
	return cid.V0Builder{}
}

func (im *importer) file(r io.Reader) (ipld.Node, error) {
	params := helpers.DagBuilderParams{
		Maxlinks:   helpers.DefaultLinksPerBlock,
		RawLeaves:  im.raw,
		CidBuilder: im.builder(),
		Dagserv:    im.dag,
	}
	db, err := params.New(chunker.NewSizeSplitter(r, im.chunk))
	if err != nil {
		return nil, err
	}
	return balanced.Layout(db)
}

func (im *importer) path(p string) (ipld.Node, error) {
	info, err := os.Stat(p)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		f, err := os.Open(p)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return im.file(f)
	}
	dir, err := uio.NewDirectory(im.dag, uio.WithCidBuilder(im.builder()))
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(p)
	if err != nil {
		return nil, err
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
	for _, e := range entries {
		child, err := im.path(filepath.Join(p, e.Name()))
		if err != nil {
			return nil, err
		}
		if err := dir.AddChild(context.Background(), e.Name(), child); err != nil {
			return nil, err
		}
	}
	node, err := dir.GetNode()
	if err != nil {
		return nil, err
	}
	return node, im.dag.Add(context.Background(), node)
}

func memory() ds.Batching {
	return dssync.MutexWrap(ds.NewMapDatastore())
}

func carWrite(path, out string) error {
	im := open(memory(), 1, true, 262144)
	node, err := im.path(path)
	if err != nil {
		return err
	}
	w, err := carbs.OpenReadWrite(out, []cid.Cid{node.Cid()}, car.WriteAsCarV1(true))
	if err != nil {
		return err
	}
	seen := cid.NewSet()
	var put func(c cid.Cid) error
	put = func(c cid.Cid) error {
		if !seen.Visit(c) {
			return nil
		}
		n, err := im.dag.Get(context.Background(), c)
		if err != nil {
			return err
		}
		if err := w.Put(context.Background(), n); err != nil {
			return err
		}
		for _, l := range n.Links() {
			if err := put(l.Cid); err != nil {
				return err
			}
		}
		return nil
	}
	if err := put(node.Cid()); err != nil {
		return err
	}
	fmt.Println(node.Cid())
	return w.Finalize()
}

func carRead(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := car.NewBlockReader(f) // checks every block against its CID
	if err != nil {
		return err
	}
	n := 0
	for {
		if _, err := r.Next(); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		n++
	}
	for _, root := range r.Roots {
		fmt.Println(root)
	}
	fmt.Println(n)
	return nil
}

// disk keeps a file for each block, synced before it gets its name, as IPFS nodes do by default.
type disk struct {
	ds.Batching // for what an importer does not call
	dir         string
}

func (d disk) path(k ds.Key) string {
	name := k.BaseNamespace()
	return filepath.Join(d.dir, name[len(name)-3:len(name)-1], name)
}

func (d disk) Has(_ context.Context, k ds.Key) (bool, error) {
	_, err := os.Stat(d.path(k))
	return err == nil, nil
}

func (d disk) Put(_ context.Context, k ds.Key, v []byte) error {
	p := d.path(k)
	if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(d.dir, "put-")
	if err != nil {
		return err
	}
	if _, err := f.Write(v); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), p)
}

func (d disk) Batch(context.Context) (ds.Batch, error) {
	return ds.NewBasicBatch(d), nil
}

// What souk is measured beside: blocks on a disk, but no HTTP between.
func bench(dir, file, small string) error {
	im := open(disk{memory(), dir}, 0, false, 262144)
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	t := time.Now()
	if _, err := im.path(file); err != nil {
		return err
	}
	large := float64(info.Size()) / 1e6 / time.Since(t).Seconds()
	entries, err := os.ReadDir(small)
	if err != nil {
		return err
	}
	t = time.Now()
	for _, e := range entries {
		if _, err := im.path(filepath.Join(small, e.Name())); err != nil {
			return err
		}
	}
	each := float64(len(entries)) / time.Since(t).Seconds()
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"boxo_mb_per_s": large, "boxo_small_per_s": each})
}

func run(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: boxo cid|car-write|car-read|bench …")
	}
	switch args[0] {
	case "cid":
		set := flag.NewFlagSet("cid", flag.ExitOnError)
		version := set.Int("v", 0, "CID version")
		raw := set.Bool("raw", false, "raw leaves")
		chunk := set.Int64("chunk", 262144, "bytes of a chunk")
		if err := set.Parse(args[1:]); err != nil {
			return err
		}
		for _, p := range set.Args() {
			node, err := open(memory(), *version, *raw, *chunk).path(p)
			if err != nil {
				return err
			}
			fmt.Println(node.Cid())
		}
		return nil
	case "car-write":
		return carWrite(args[1], args[2])
	case "car-read":
		return carRead(args[1])
	case "bench":
		return bench(args[1], args[2], args[3])
	}
	return fmt.Errorf("no such command: %s", args[0])
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
