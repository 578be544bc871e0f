// Everything @graphistry/node-api 4.2.0 can do: log in with a password, upload two files, make a dataset of them.
import { Client, Dataset, EdgeFile, NodeFile } from "@graphistry/node-api";

const url = process.argv[2];
const client = new Client("alice", "pw", "http", new URL(url).host, url);
const edges = new EdgeFile({ s: ["a", "b", "c"], d: ["b", "c", "a"], v: [1, 2, 3] });
const nodes = new NodeFile({ n: ["a", "b", "c"], x: ["A", "B", "C"] });
const encodings = {
  node_encodings: { bindings: { node: "n" } },
  edge_encodings: { bindings: { source: "s", destination: "d" } },
};
const dataset = new Dataset({ ...encodings, metadata: {}, name: "node tour" }, edges, nodes);
await dataset.upload(client);
console.log(`\n${JSON.stringify({ datasets: [dataset.datasetID] })}`);
