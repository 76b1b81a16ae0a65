/** The labels that each series of a hatchery carries (cds-contract 11). */
import { Layer, Metric } from "effect"

/** A registry of its own, so that two hatcheries in one process do not add up, with CDS's two labels on every series. */
export const layer = (serviceName: string): Layer.Layer<never> =>
  Layer.merge(
    Layer.sync(Metric.MetricRegistry, () => new Map()),
    Layer.succeed(Metric.CurrentMetricAttributes, { service_name: serviceName, service_type: "hatchery" })
  )
