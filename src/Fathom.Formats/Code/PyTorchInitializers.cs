using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using static Fathom.Formats.Code.PythonWords;

namespace Fathom.Formats.Code;

/// <summary>Initializers in PyTorch's words.</summary>
internal static class PyTorchInitializers
{
    /// <summary>Lines that fill a parameter; none where the module starts like this anyway, null if there is no way.</summary>
    public static IEnumerable<string>? Of(Node node, LayerPart part, string path)
    {
        bool isOwn = part.Parameter.Initializer.Equals(part.Slot.Initializer);
        bool isTorch = node.Op is BatchNorm or GroupNorm or LayerNorm or RmsNorm or Embedding or PRelu or Scale or Shift;
        return !part.Slot.Trainable || (isOwn && isTorch) ? [] : Of(part.Parameter.Initializer, part.Parameter, path);
    }

    private static IReadOnlyList<string>? Of(Initializer initializer, Parameter parameter, string path)
    {
        bool isWhole = parameter.Blocks == 1;
        switch (initializer)
        {
            case ConstantInitializer constant:
                return [$"nn.init.{(constant.Number == 0 ? $"zeros_({path})" : constant.Number == 1 ? $"ones_({path})" : $"constant_({path}, {Number(constant.Number)})")}"];
            case ForgetGateBias bias:
                int units = parameter.Shape[0].Size / 4;
                return [$"nn.init.zeros_({path})", $"{path}[{Number(units)}:{Number(2 * units)}] = {Number(bias.Number)}  # forget gate"];
            case NormalInitializer normal:
                return [$"nn.init.normal_({path}, {Number(normal.Center)}, {Number(normal.StandardDeviation)})"];
            case UniformInitializer uniform:
                return [$"nn.init.uniform_({path}, {Number(uniform.Low)}, {Number(uniform.High)})"];
            case TruncatedNormalInitializer cut:
                return [Truncated(path, cut.Center, cut.StandardDeviation, cut.Low, cut.High)];
            case VarianceScaling scaling:
                return [isWhole && parameter.Shape.Rank > 1 && Named(scaling) is { } name ? $"nn.init.{name.Replace("*", path, StringComparison.Ordinal)}" : Scaled(scaling, parameter, path)];
            case Orthogonal orthogonal when parameter.Shape.Rank > 1:
                string gain = orthogonal.Gain == 1 ? "" : $", {Number(orthogonal.Gain)}";
                return isWhole ? [$"nn.init.orthogonal_({path}{gain})"] : [$"for gate in {path}.chunk({Number(parameter.Blocks)}):", $"    gate.copy_(nn.init.orthogonal_(torch.empty_like(gate){gain}))"];
            case IdentityInitializer identity when parameter.Shape.Rank == 2:
                string factor = identity.Gain == 1 ? "" : $".mul_({Number(identity.Gain)})";
                return isWhole ? [$"nn.init.eye_({path}){factor}"] : [$"for gate in {path}.chunk({Number(parameter.Blocks)}):", $"    gate.copy_(nn.init.eye_(torch.empty_like(gate))){factor}"];
            case ZeroRowInitializer zero:
                return Of(zero.Rest, parameter, path) is { } rest ? [.. rest, $"{path}[{Number(zero.Row)}] = 0.0"] : null;
            default:
                return null;
        }
    }

    /// <summary>nn.init's own name, * for the tensor.</summary>
    private static string? Named(VarianceScaling scaling) => (scaling.Mode, scaling.Distribution) switch
    {
        (FanMode.Average, WeightDistribution.Normal) => $"xavier_normal_(*{Gain(scaling.Scale)})",
        (FanMode.Average, WeightDistribution.Uniform) => $"xavier_uniform_(*{Gain(scaling.Scale)})",
        (FanMode.In, WeightDistribution.Normal) when scaling.Scale == 2 => "kaiming_normal_(*, nonlinearity=\"relu\")",
        (FanMode.In, WeightDistribution.Uniform) when scaling.Scale == 2 => "kaiming_uniform_(*, nonlinearity=\"relu\")",
        (FanMode.In, WeightDistribution.Normal) when scaling.Scale == 1 => "kaiming_normal_(*, nonlinearity=\"linear\")",
        (FanMode.In, WeightDistribution.Uniform) when scaling.Scale == 1 => "kaiming_uniform_(*, nonlinearity=\"linear\")",
        _ => null,
    };

    private static string Gain(double scale) => scale == 1 ? "" : $", gain={Number(Math.Sqrt(scale))}";

    private static string Scaled(VarianceScaling scaling, Parameter parameter, string path)
    {
        double deviation = Math.Sqrt(scaling.Variance(parameter.Fans));
        return scaling.Distribution switch
        {
            WeightDistribution.Uniform => $"nn.init.uniform_({path}, {Number(-Math.Sqrt(3) * deviation)}, {Number(Math.Sqrt(3) * deviation)})",
            WeightDistribution.Normal => $"nn.init.normal_({path}, 0.0, {Number(deviation)})",
            // The deviation of a standard normal variable cut at ±2.
            _ => Truncated(path, 0, deviation / 0.87962566103423978, -2, 2),
        };
    }

    private static string Truncated(string path, double center, double deviation, double low, double high) =>
        $"nn.init.trunc_normal_({path}, {Number(center)}, {Number(deviation)}, {Number(center + low * deviation)}, {Number(center + high * deviation)})";
}
