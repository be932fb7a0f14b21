using Fathom.Graphs.Initialization;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Tests.Initialization;

public sealed class ResidualBranchTests
{
    [Fact]
    public void ABranchIsWhatTheShortcutDoesNotHave()
    {
        NetworkCursor x = Network.Input(4).Dense(6, name: "stem").Relu();
        x = x.Dense(6, name: "a").Relu("r").Dense(6, name: "b").Add(x, "join_1");
        x = x.Add(x.Dense(6, name: "c"), "join_2");
        ResidualBranch[] branches = [.. ResidualBranch.Of(x.Dense(2).Build())];
        Assert.Equal(["join_1", "join_2"], branches.Select(branch => branch.Add.Name));
        Assert.Equal([0, 1], branches.Select(branch => branch.Input));
        Assert.Equal(["a", "r", "b"], branches[0].Nodes.Select(node => node.Name));
        Assert.Equal(["a", "b"], branches[0].WeightLayers.Select(node => node.Name));
        Assert.Equal(["c"], branches[1].WeightLayers.Select(node => node.Name));
    }

    [Fact]
    public void AProjectionOnTheShortcutIsNoBranch()
    {
        NetworkCursor x = Network.Input(4).Dense(6);
        NetworkCursor shortcut = x.Dense(8, name: "projection");
        x = shortcut.Add(x.Dense(5, name: "a").Tanh().Dense(8, name: "b"));
        ResidualBranch branch = Assert.Single(ResidualBranch.Of(x.Build()));
        Assert.Equal(["a", "b"], branch.WeightLayers.Select(node => node.Name));
        Assert.Equal(1, branch.Input);
    }

    /// <summary>A branch that reads the shortcut's own past too: the part before the fork belongs to both.</summary>
    [Fact]
    public void WhatBothSidesReadIsCommon()
    {
        NetworkCursor early = Network.Input(4).Dense(4, name: "early");
        NetworkCursor late = early.Relu("late");
        NetworkCursor gate = late.Dense(4, name: "gate").Then(new Multiply(), "product", null, early);
        ResidualBranch branch = Assert.Single(ResidualBranch.Of(gate.Add(late).Build()));
        Assert.Equal(["gate", "product"], branch.Nodes.Select(node => node.Name));
    }

    [Fact]
    public void AnAddOfTwoFunctionsWithoutWeightsIsNoResidualConnection()
    {
        NetworkCursor x = Network.Input(4).Dense(4);
        Assert.Empty(ResidualBranch.Of(x.Relu().Add(x.Tanh()).Build()));
    }

    [Fact]
    public void AThousandBlocksTakeNoLongerThanTheirNumber()
    {
        NetworkCursor x = Network.Input(4).Repeat(1000, block => block.Dense(4).Relu().Dense(4).Add(block));
        Assert.All(ResidualBranch.Of(x.Build()), branch => Assert.Equal(3, branch.Nodes.Count));
    }
}
