// Everything @graphistry/js-upload-api 5.1.8 can do: password and personal key, organization, files, dataset, sharing.
import * as module from "@graphistry/js-upload-api";

const { Client, ClientPKey, Dataset, EdgeFile, NodeFile } = module.default ?? module;
const url = process.argv[2];
const host = new URL(url).host;
const encodings = {
  node_encodings: { bindings: { node: "n" } },
  edge_encodings: { bindings: { source: "s", destination: "d" } },
};
const datasets = [];
for (const client of [
  new Client("alice", "pw", "lab", "http", host, url, fetch),
  new ClientPKey("key", "secret", "lab", "http", host, url, fetch),
]) {
  const edges = new EdgeFile({ s: ["a", "b", "c"], d: ["b", "c", "a"], v: [1, 2, 3] });
  const nodes = new NodeFile({ n: ["a", "b", "c"], x: ["A", "B", "C"] });
  const dataset = new Dataset({ ...encodings, metadata: {}, name: "js tour" }, edges, nodes);
  await dataset.upload(client);
  await dataset.privacy(client, "organization");
  datasets.push(dataset.datasetID);
}
console.log(`\n${JSON.stringify({ datasets })}`);
